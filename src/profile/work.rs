//! What a profile tells a worker of its work.

use super::settings::{Extraction, Reading, Retention};
use super::settler::{Settler, floor};

impl Settler<'_> {
    pub(super) fn reading(&mut self, service: &str) -> Reading {
        let at = |key| ["services", service, "reading", key];
        Reading {
            policy: self.text(&at("policy")),
            jobs: self.whole(&at("jobs")),
            memory: self.size(&at("memory")),
            threads: self.number(&at("threads")).and_then(floor),
            language: self.text(&at("language")),
            dpi: self.whole(&at("dpi")),
            max_pages: self.whole(&at("max_pages")),
            max_pixels: self.whole(&at("max_pixels")),
            page_timeout_ms: self.duration(&at("page_timeout")),
            deadline_ms: self.duration(&at("deadline")),
            text_layer: self.text(&at("text_layer")),
        }
    }

    pub(super) fn extraction(&self, service: &str) -> Extraction {
        let at = |key| ["services", service, "extraction", key];
        Extraction {
            jobs: self.whole(&at("jobs")),
            deadline_ms: self.duration(&at("deadline")),
            predict: self.whole(&at("predict")),
            instruction: self.text(&at("instruction")),
        }
    }

    pub(super) fn retention(&self, service: &str) -> Retention {
        let at = |key| ["services", service, "retention", key];
        Retention {
            reviewed: self.whole(&at("reviewed")),
            unreviewed: self.whole(&at("unreviewed")),
            archive: self.whole(&at("archive")),
        }
    }
}
