//! Sizing rules: `"6500MiB"`, `"20% of ram"`, `"min(ram / 3, 4GiB)"`, `"cores - 1"`.
//!
//! A rule is read once, checked for sense (a size plus a plain number has none), and evaluated for a host.
//! All arithmetic is checked and on whole numbers: sizes in bytes, plain numbers in millionths.

mod eval;
mod lexer;
mod parser;

use std::fmt;
use std::ops::Range;

pub use eval::{Quantity, Vars};

use crate::lang::say;

/// The longest rule, in bytes. Longer ones are mistakes, and the limit keeps recursion shallow.
pub const MAX_LENGTH: usize = 512;
/// The deepest nesting of parentheses.
pub const MAX_DEPTH: usize = 32;
/// Plain numbers are kept in millionths, so that `0.75` and `cores / 2` are exact enough.
pub(crate) const MILLION: u128 = 1_000_000;

/// What a rule may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Var {
    /// The host's memory (`MemTotal`).
    Ram,
    /// Logical CPUs.
    Cores,
    /// Size of the file system that holds the swap file.
    Disk,
    /// The same service's `memory`; only in `memory_reservation`, `memory_swap` and `memory_reading`.
    Memory,
}

impl Var {
    /// Every variable.
    pub const ALL: [Self; 4] = [Self::Ram, Self::Cores, Self::Disk, Self::Memory];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ram => "ram",
            Self::Cores => "cores",
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }

    const fn dimension(self) -> Dimension {
        match self {
            Self::Cores => Dimension::Number,
            Self::Ram | Self::Disk | Self::Memory => Dimension::Size,
        }
    }
}

/// Bytes, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Bytes.
    Size,
    /// A plain number.
    Number,
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&match self {
            Self::Size => say("a size"),
            Self::Number => say("a plain number"),
        })
    }
}

/// A rule that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    text: String,
    node: Node,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    kind: Kind,
    /// Bytes of the text.
    span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Bytes.
    Size(u128),
    /// Millionths.
    Number(u128),
    Var(Var),
    Binary(Op, Box<Node>, Box<Node>),
    Least(Vec<Node>),
    Most(Vec<Node>),
    /// So many millionths of a per cent of a size.
    Percent(u128, Box<Node>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Why a text is no rule, or has no result here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// In one line.
    pub message: String,
    /// Which bytes of the rule's text.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl RuleError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), span, help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Rule {
    /// Reads a rule whose result is of `wanted` dimension and that speaks only of `vars`. A plain number where
    /// a size is wanted is a number of bytes.
    pub fn parse(text: &str, wanted: Dimension, vars: &[Var]) -> Result<Self, RuleError> {
        let node = parser::parse(text, wanted, vars)?;
        Ok(Self { text: text.trim().to_owned(), node })
    }

    /// The rule that is just `bytes`.
    pub fn bytes(bytes: u64) -> Self {
        Self { text: bytes.to_string(), node: Node { kind: Kind::Size(bytes.into()), span: 0..0 } }
    }

    /// The rule that is just a number, given in millionths and as it was written.
    pub(crate) fn millionths(millionths: u128, text: &str) -> Self {
        Self { text: text.to_owned(), node: Node { kind: Kind::Number(millionths), span: 0..0 } }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Is it the same on every host?
    pub fn is_constant(&self) -> bool {
        !Var::ALL.iter().any(|var| self.uses(*var))
    }

    /// Is it a mere literal, so that showing its result would say nothing new?
    pub fn is_literal(&self) -> bool {
        matches!(self.node.kind, Kind::Size(_) | Kind::Number(_))
    }

    /// Does it speak of `var`?
    pub fn uses(&self, var: Var) -> bool {
        self.node.uses(var)
    }

    /// Its result on a host: bytes rounded down to whole MiB, or a number.
    pub fn evaluate(&self, vars: &Vars) -> Result<Quantity, RuleError> {
        eval::evaluate(&self.node, vars)
    }
}

impl Node {
    fn uses(&self, var: Var) -> bool {
        match &self.kind {
            Kind::Size(_) | Kind::Number(_) => false,
            Kind::Var(own) => *own == var,
            Kind::Binary(_, a, b) => a.uses(var) || b.uses(var),
            Kind::Least(nodes) | Kind::Most(nodes) => nodes.iter().any(|n| n.uses(var)),
            Kind::Percent(_, of) => of.uses(var),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
