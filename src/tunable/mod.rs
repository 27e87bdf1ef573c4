//! tunable.
