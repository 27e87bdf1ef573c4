//! From words to a tree, by recursive descent; every node's dimension is known as soon as it is read.

use std::borrow::Cow;
use std::ops::Range;

use super::super::suggest;
use super::lexer::{Token, Word, words};
use super::{Dimension, Kind, MAX_DEPTH, MAX_LENGTH, MILLION, Node, Op, RuleError, Var};
use crate::lang::say;
use crate::t;

pub(super) fn parse(text: &str, wanted: Dimension, vars: &[Var]) -> Result<Node, RuleError> {
    if text.len() > MAX_LENGTH {
        return Err(RuleError::new(
            0..text.len(),
            t!("a rule has at most {most} characters", most = MAX_LENGTH),
        ));
    }
    let words = words(text)?;
    let mut parser = Parser { words: &words, at: 0, end: text.len(), vars, depth: 0 };
    if words.is_empty() {
        return Err(RuleError::new(0..text.len(), say("the rule is empty")).help(example(wanted)));
    }
    let (node, found) = parser.sum()?;
    if let Some(token) = parser.next() {
        let error = RuleError::new(token.span.clone(), say("the rule should have ended here"));
        return Err(match token.kind {
            Word::Sign(')') => error.help(say("there is no `(` for this `)`")),
            _ => error.help(say("put an operator between: + - * /")),
        });
    }
    match (wanted, found, &node.kind) {
        (Dimension::Size, Dimension::Number, Kind::Number(n)) if n % MILLION == 0 => {
            Ok(Node { kind: Kind::Size(n / MILLION), span: node.span })
        }
        _ if wanted == found => Ok(node),
        _ => Err(RuleError::new(
            0..text.len(),
            t!("the rule gives {found}, but {wanted} is wanted", found = found, wanted = wanted),
        )
        .help(example(wanted))),
    }
}

fn example(wanted: Dimension) -> Cow<'static, str> {
    match wanted {
        Dimension::Size => say("for example \"6500MiB\", \"20% of ram\" or \"min(ram / 3, 4GiB)\""),
        Dimension::Number => say("for example 2, 0.5 or \"cores - 1\""),
    }
}

struct Parser<'w> {
    words: &'w [Token],
    at: usize,
    end: usize,
    vars: &'w [Var],
    depth: usize,
}

type Read = Result<(Node, Dimension), RuleError>;

impl<'w> Parser<'w> {
    fn next(&mut self) -> Option<&'w Token> {
        let token = self.words.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn sign(&mut self, wanted: &[char]) -> Option<char> {
        match self.words.get(self.at)?.kind {
            Word::Sign(c) if wanted.contains(&c) => {
                self.at += 1;
                Some(c)
            }
            _ => None,
        }
    }

    fn sum(&mut self) -> Read {
        let (mut left, dimension) = self.product()?;
        while let Some(sign) = self.sign(&['+', '-']) {
            let (right, other) = self.product()?;
            let span = left.span.start..right.span.end;
            if dimension != other {
                let message = if sign == '+' {
                    t!("{other} can't be added to {dimension}", other = other, dimension = dimension)
                } else {
                    t!("{other} can't be subtracted from {dimension}", other = other, dimension = dimension)
                };
                return Err(RuleError::new(span, message).help(say("give the number a unit, as in 512MiB")));
            }
            let op = if sign == '+' { Op::Add } else { Op::Subtract };
            left = Node { kind: Kind::Binary(op, Box::new(left), Box::new(right)), span };
        }
        Ok((left, dimension))
    }

    fn product(&mut self) -> Read {
        let (mut left, mut dimension) = self.factor()?;
        while let Some(sign) = self.sign(&['*', '/']) {
            let (right, other) = self.factor()?;
            let span = left.span.start..right.span.end;
            let op = if sign == '*' { Op::Multiply } else { Op::Divide };
            dimension = match (op, dimension, other) {
                (Op::Multiply, Dimension::Size, Dimension::Size) => {
                    return Err(RuleError::new(span, say("two sizes can't be multiplied"))
                        .help(say("multiply a size by a plain number")));
                }
                (Op::Divide, Dimension::Number, Dimension::Size) => {
                    return Err(RuleError::new(span, say("a plain number can't be divided by a size")));
                }
                (Op::Divide, Dimension::Size, Dimension::Size) => Dimension::Number,
                (_, Dimension::Size, _) | (_, _, Dimension::Size) => Dimension::Size,
                _ => Dimension::Number,
            };
            left = Node { kind: Kind::Binary(op, Box::new(left), Box::new(right)), span };
        }
        Ok((left, dimension))
    }

    fn factor(&mut self) -> Read {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let span = self.words.get(self.at).map_or(self.end..self.end, |t| t.span.clone());
            return Err(RuleError::new(span, t!("more than {most} levels of parentheses", most = MAX_DEPTH)));
        }
        let read = self.factor_inside();
        self.depth -= 1;
        read
    }

    fn factor_inside(&mut self) -> Read {
        let Some(token) = self.next() else {
            return Err(RuleError::new(self.end..self.end, say("the rule stops short"))
                .help(say("a size, a number or a variable should follow")));
        };
        let span = token.span.clone();
        match &token.kind {
            Word::Size(bytes) => Ok((Node { kind: Kind::Size(*bytes), span }, Dimension::Size)),
            Word::Number(number) if self.sign(&['%']).is_some() => self.percent(*number, span),
            Word::Number(number) => Ok((Node { kind: Kind::Number(*number), span }, Dimension::Number)),
            Word::Name(name) => self.name(name, span),
            Word::Sign('(') => {
                let (node, dimension) = self.sum()?;
                self.close(&span)?;
                Ok((node, dimension))
            }
            Word::Sign('-') => Err(RuleError::new(span, say("nothing here can be negative"))
                .help(say("subtract from something, as in ram - 1GiB"))),
            Word::Sign(c) => Err(RuleError::new(span, t!("`{sign}` is not expected here", sign = c))
                .help(say("a size, a number or a variable should stand here"))),
        }
    }

    fn percent(&mut self, number: u128, span: Range<usize>) -> Read {
        let of = matches!(self.words.get(self.at), Some(Token { kind: Word::Name(n), .. }) if n == "of");
        if !of {
            return Err(RuleError::new(span.start..self.before(), say("per cent of what?"))
                .help(say("for example: 20% of ram")));
        }
        self.at += 1;
        let (node, dimension) = self.factor()?;
        let span = span.start..node.span.end;
        Ok((Node { kind: Kind::Percent(number, Box::new(node)), span }, dimension))
    }

    fn name(&mut self, name: &str, span: Range<usize>) -> Read {
        if let "min" | "max" = name {
            return self.call(name == "min", span);
        }
        if let Some(var) = self.vars.iter().find(|var| var.name() == name) {
            return Ok((Node { kind: Kind::Var(*var), span }, var.dimension()));
        }
        let known: Vec<&str> = self.vars.iter().map(|var| var.name()).collect();
        if known.is_empty() {
            return Err(RuleError::new(span, t!("`{name}` can't stand here", name = name))
                .help(say("this value is a plain size, the same on every host")));
        }
        if Var::ALL.iter().any(|var| var.name() == name) {
            return Err(RuleError::new(span, t!("`{name}` is not known at this key", name = name))
                .help(t!("it knows {known}", known = known.join(", "))));
        }
        let error = RuleError::new(span, t!("unknown name `{name}`", name = name));
        let words = known.iter().copied().chain(["min", "max"]);
        Err(match suggest::nearest(name, words) {
            Some(near) => error.help(t!("did you mean `{near}`?", near = near)),
            None => error
                .help(t!("this key knows {known}, and the functions min and max", known = known.join(", "))),
        })
    }

    fn call(&mut self, least: bool, span: Range<usize>) -> Read {
        if self.sign(&['(']).is_none() {
            return Err(
                RuleError::new(span, say("`(` is missing")).help(say("for example: min(ram / 3, 4GiB)"))
            );
        }
        let (first, dimension) = self.sum()?;
        let mut nodes = vec![first];
        while self.sign(&[',']).is_some() {
            let (node, other) = self.sum()?;
            if other != dimension {
                return Err(RuleError::new(
                    node.span,
                    t!("{other} can't be compared with {dimension}", other = other, dimension = dimension),
                ));
            }
            nodes.push(node);
        }
        self.close(&span)?;
        let span = span.start..self.before();
        let kind = if least { Kind::Least(nodes) } else { Kind::Most(nodes) };
        Ok((Node { kind, span }, dimension))
    }

    fn close(&mut self, opened: &Range<usize>) -> Result<(), RuleError> {
        if self.sign(&[')']).is_some() {
            return Ok(());
        }
        let at = self.words.get(self.at).map_or(self.end..self.end, |t| t.span.clone());
        Err(RuleError::new(at, say("`)` is missing"))
            .help(t!("for the `(` at character {at}", at = opened.start + 1)))
    }

    /// The end of the word that was read last.
    fn before(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.words.get(at)).map_or(0, |t| t.span.end)
    }
}
