//! What was measured, as tables: words that say of what, and figures with their spread.

use super::advice::{Advice, Claim};
use super::load::Load;
use super::{Kind, Spread, Told};

/// Everything that one run found.
#[derive(Debug)]
pub struct Report {
    /// Name of the processor, as the kernel has it.
    pub cpu: String,
    /// Processors that this process may use.
    pub threads: usize,
    /// Memory of the host, in bytes.
    pub memory_bytes: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// How busy the host was before.
    pub load: Load,
    /// How busy it was when all had been measured.
    pub load_after: Load,
    /// Was it a quick run?
    pub quick: bool,
    /// Did somebody stop it?
    pub interrupted: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The sections, in the order in which they were asked for.
    pub sections: Vec<Section>,
    /// What the profile could have.
    pub advice: Vec<Advice>,
    /// What became of claims.
    pub claims: Vec<Claim>,
}

/// One section, or why it could not tell.
#[derive(Debug)]
pub struct Section {
    /// Which.
    pub kind: Kind,
    /// Its tables; the error is why there are none.
    pub tables: Told<Vec<Table>>,
    /// What there is to say besides.
    pub notes: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Section {
    /// A table by its name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.as_ref().ok()?.iter().find(|table| table.name == name)
    }
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// What the first words of a row tell, as JSON names it, and for people.
    pub labels: Vec<(&'static str, String)>,
    /// What the figures are.
    pub columns: Vec<Column>,
    /// Which column is drawn as a chart.
    pub chart: Option<&'static str>,
    /// Words and figures.
    pub rows: Vec<(Vec<String>, Vec<Cell>)>,
}

/// A figure; `None` where there is none.
pub type Cell = Option<Spread>;

/// What a column of figures has.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its head.
    pub head: String,
    /// Its unit, as SI or the field writes it; empty where it has none.
    pub unit: &'static str,
    /// Digits behind the point.
    pub digits: usize,
    /// The spread is one of parts of a sample, and not of repeats.
    pub of_parts: bool,
}

impl Column {
    /// A column.
    pub fn new(name: &'static str, head: impl Into<String>, unit: &'static str, digits: usize) -> Self {
        Self { name, head: head.into(), unit, digits, of_parts: false }
    }

    /// Its figures are of parts of one sample.
    #[must_use]
    pub fn of_parts(mut self) -> Self {
        self.of_parts = true;
        self
    }
}

impl Table {
    /// The figure of the row with these words.
    pub fn figure(&self, words: &[&str], column: &str) -> Cell {
        let at = self.columns.iter().position(|known| known.name == column)?;
        let (_, cells) = self.rows.iter().find(|(labels, _)| labels.iter().eq(words))?;
        *cells.get(at)?
    }
}
