//! A rule's result on a host. Whatever the rule, it gives a value or says where it fails.

use std::borrow::Cow;
use std::fmt;

use super::{Kind, MILLION, Node, Op, Rule, RuleError, Var};
use crate::lang::say;
use crate::units::{Bytes, MIB};

/// What the variables stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vars {
    /// Bytes of RAM; 0 where unknown.
    pub ram: u64,
    /// Logical CPUs; 0 where unknown.
    pub cores: u64,
    /// Bytes of the swap file's file system; 0 where unknown.
    pub disk: u64,
    /// The same service's memory limit, where it has one.
    pub memory: Option<u64>,
}

/// A result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// Whole MiB.
    Size(Bytes),
    /// A plain number.
    Number(f64),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(bytes) => bytes.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

#[derive(Clone, Copy)]
enum Amount {
    Size(u128),
    Number(u128),
}

impl Amount {
    const fn raw(self) -> u128 {
        match self {
            Self::Size(n) | Self::Number(n) => n,
        }
    }

    const fn like(self, n: u128) -> Self {
        match self {
            Self::Size(_) => Self::Size(n),
            Self::Number(_) => Self::Number(n),
        }
    }
}

pub(super) fn evaluate(node: &Node, vars: &Vars) -> Result<Quantity, RuleError> {
    match amount(node, vars)? {
        Amount::Size(bytes) => {
            let bytes = u64::try_from(bytes).map_err(|_| too_large(node))?;
            Ok(Quantity::Size(Bytes(bytes / MIB * MIB)))
        }
        Amount::Number(millionths) => {
            // In two halves, each of which a float holds exactly.
            let whole = u32::try_from(millionths / MILLION).map_err(|_| too_large(node))?;
            let rest = u32::try_from(millionths % MILLION).unwrap_or(0);
            Ok(Quantity::Number(f64::from(whole) + f64::from(rest) / 1e6))
        }
    }
}

fn too_large(node: &Node) -> RuleError {
    RuleError::new(node.span.clone(), say("the result is too large"))
}

fn amount(node: &Node, vars: &Vars) -> Result<Amount, RuleError> {
    match &node.kind {
        Kind::Size(bytes) => Ok(Amount::Size(*bytes)),
        Kind::Number(number) => Ok(Amount::Number(*number)),
        Kind::Var(var) => variable(*var, node, vars),
        Kind::Binary(op, a, b) => binary(*op, amount(a, vars)?, amount(b, vars)?, node, b),
        Kind::Least(nodes) => extreme(nodes, vars, node, u128::min),
        Kind::Most(nodes) => extreme(nodes, vars, node, u128::max),
        Kind::Percent(number, of) => {
            let of = amount(of, vars)?;
            let part = of.raw().checked_mul(*number).ok_or_else(|| too_large(node))?;
            Ok(of.like(part / (100 * MILLION)))
        }
    }
}

fn variable(var: Var, node: &Node, vars: &Vars) -> Result<Amount, RuleError> {
    let value = match var {
        Var::Ram => Some(vars.ram),
        Var::Cores => Some(vars.cores),
        Var::Disk => Some(vars.disk),
        Var::Memory => vars.memory,
    };
    match (value.filter(|value| *value > 0), var) {
        (None, _) => Err(RuleError::new(node.span.clone(), unknown(var))
            .help(say("write a fixed value instead of the rule"))),
        (Some(cores), Var::Cores) => Ok(Amount::Number(u128::from(cores) * MILLION)),
        (Some(bytes), _) => Ok(Amount::Size(bytes.into())),
    }
}

fn unknown(var: Var) -> Cow<'static, str> {
    match var {
        Var::Ram => say("it is not known how much memory the host has"),
        Var::Cores => say("it is not known how many CPUs the host has"),
        Var::Disk => say("it is not known how large the swap file's file system is"),
        Var::Memory => say("it is not known the service's own `memory`"),
    }
}

fn binary(op: Op, a: Amount, b: Amount, node: &Node, divisor: &Node) -> Result<Amount, RuleError> {
    let overflow = || too_large(node);
    match op {
        Op::Add => a.raw().checked_add(b.raw()).map(|n| a.like(n)).ok_or_else(overflow),
        Op::Subtract => a.raw().checked_sub(b.raw()).map(|n| a.like(n)).ok_or_else(|| {
            RuleError::new(node.span.clone(), say("the result would be negative"))
                .help(say("take the larger of two, as in max(ram - 8GiB, 1GiB)"))
        }),
        Op::Multiply => {
            let size = matches!(a, Amount::Size(_)) || matches!(b, Amount::Size(_));
            let n = a.raw().checked_mul(b.raw()).ok_or_else(overflow)? / MILLION;
            Ok(if size { Amount::Size(n) } else { Amount::Number(n) })
        }
        Op::Divide => {
            // Millionths cancel out, or are what a size by a size gives: in all cases one factor is to be put back.
            let scaled = a.raw().checked_mul(MILLION).ok_or_else(overflow)?;
            let n = scaled.checked_div(b.raw()).ok_or_else(|| {
                RuleError::new(divisor.span.clone(), say("this is zero, and nothing can be divided by it"))
            })?;
            Ok(if matches!(b, Amount::Size(_)) { Amount::Number(n) } else { a.like(n) })
        }
    }
}

fn extreme(
    nodes: &[Node],
    vars: &Vars,
    whole: &Node,
    pick: fn(u128, u128) -> u128,
) -> Result<Amount, RuleError> {
    let mut best: Option<Amount> = None;
    for node in nodes {
        let next = amount(node, vars)?;
        best = Some(best.map_or(next, |best| next.like(pick(best.raw(), next.raw()))));
    }
    best.ok_or_else(|| RuleError::new(whole.span.clone(), say("nothing to choose from")))
}

impl Rule {
    /// The result as bytes; an error where the rule gives a plain number.
    pub fn size(&self, vars: &Vars) -> Result<Bytes, RuleError> {
        match self.evaluate(vars)? {
            Quantity::Size(bytes) => Ok(bytes),
            Quantity::Number(_) => Err(RuleError::new(self.node.span.clone(), say("a size is wanted"))),
        }
    }

    /// The result as a plain number; an error where the rule gives a size.
    pub fn number(&self, vars: &Vars) -> Result<f64, RuleError> {
        match self.evaluate(vars)? {
            Quantity::Number(number) => Ok(number),
            Quantity::Size(_) => Err(RuleError::new(self.node.span.clone(), say("a plain number is wanted"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dimension;
    use super::*;
    use crate::units::GIB;

    const HOST: Vars = Vars { ram: 12 * GIB, cores: 4, disk: 100 * GIB, memory: Some(2 * GIB) };

    fn size(text: &str) -> Result<u64, RuleError> {
        Rule::parse(text, Dimension::Size, &Var::ALL)?.size(&HOST).map(Bytes::as_mib)
    }

    fn number(text: &str) -> Result<f64, RuleError> {
        Rule::parse(text, Dimension::Number, &Var::ALL)?.number(&HOST)
    }

    #[test]
    fn sizes() {
        for (text, mib) in [
            ("6500MiB", 6500),
            ("1.5 GiB", 1536),
            ("4096", 0),
            ("1_048_576", 1),
            ("20% of ram", 2457),
            ("12.5% of ram", 1536),
            ("ram / 3", 4096),
            ("min(ram / 3, 4GiB)", 4096),
            ("max(1GiB, ram / 100, 2 GiB)", 2048),
            ("ram - 2GiB - 1GiB", 9216),
            ("ram - (2GiB - 1GiB)", 11264),
            ("ram * 0.5", 6144),
            ("cores * 512MiB", 2048),
            ("ram / cores", 3072),
            ("ram / 8GiB * 1GiB", 1536),
            ("memory + 512MiB", 2560),
            ("10% of disk", 10240),
            ("50% of (ram - 2GiB)", 5120),
            ("50% of 50% of ram", 3072),
            ("12GB", 11444),
        ] {
            assert_eq!(size(text), Ok(mib), "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number("cores - 1"), Ok(3.0));
        assert_eq!(number("cores / 8"), Ok(0.5));
        assert_eq!(number("max(1, cores - 3.5)"), Ok(1.0));
        assert_eq!(number("75% of cores"), Ok(3.0));
    }

    #[test]
    fn errors_say_where() {
        for (text, span, part) in [
            ("", 0..0, "empty"),
            ("ram /", 5..5, "stops short"),
            ("ram 3", 4..5, "should have ended"),
            ("rma / 3", 0..3, "unknown name `rma`"),
            ("ram - 2", 0..7, "can't be subtracted"),
            ("ram * ram", 0..9, "multiplied"),
            ("2 / ram", 0..7, "divided by a size"),
            ("cores", 0..5, "gives a plain number"),
            ("20%", 0..3, "per cent of what"),
            ("4 GIBS", 0..6, "unknown unit"),
            ("min(ram", 7..7, "`)` is missing"),
            ("min ram", 0..3, "`(` is missing"),
            ("min(ram, 4)", 9..10, "compared"),
            ("ram)", 3..4, "should have ended"),
            ("-1GiB", 0..1, "negative"),
            ("ram; reboot", 3..4, "no meaning"),
            ("1GiB - ram", 0..10, "would be negative"),
            ("ram / (cores - 4)", 7..16, "this is zero"),
            ("0.1234567 * ram", 0..9, "six decimals"),
            ("18446744073709551616 * ram", 0..20, "too large"),
            ("ram * 18446744073709551615 * 18446744073709551615", 0..49, "too large"),
        ] {
            let error = size(text).unwrap_err();
            assert!(error.message.contains(part), "{text}: {}", error.message);
            assert_eq!(error.span, span, "{text}: {}", error.message);
        }
    }

    #[test]
    fn nesting_and_length_have_limits() {
        let deep = format!("{}ram{}", "(".repeat(200), ")".repeat(200));
        assert!(size(&deep).unwrap_err().message.contains("levels"));
        assert!(size(&"(".repeat(1_000_000)).unwrap_err().message.contains("at most"));
        let long = format!("0MiB{}", "+1MiB".repeat(100));
        assert_eq!(size(&long), Ok(100));
    }

    #[test]
    fn an_unknown_host_is_no_zero() {
        let rule = Rule::parse("min(ram, 1GiB)", Dimension::Size, &Var::ALL).unwrap();
        assert!(rule.size(&Vars::default()).unwrap_err().message.contains("not known"));
    }
}
