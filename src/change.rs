//! One change, as data: what to do, what was there before, what shall be there after.

use crate::t;
use serde::{Deserialize, Serialize};

use crate::host::Image;
use crate::units::Bytes;

/// A change with everything that a person needs to trust it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `TUNABLE:TARGET`, unique in a plan.
    pub id: String,
    /// The tunable that asks for it.
    pub tunable: String,
    /// One line: what it does.
    pub summary: String,
    /// Why.
    pub reason: String,
    /// It takes effect only after a reboot (or also needs one to be proved).
    pub reboot: bool,
    /// How much could go wrong.
    pub risk: Risk,
    /// The act itself.
    pub act: Act,
}

/// How much could go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Nothing that a running program would notice.
    Low,
    /// Behaviour under pressure changes, or it takes room or time.
    Medium,
    /// The next boot, or memory in use, depends on it.
    High,
}

/// What can be done to a host. A closed list: rollback replays this data and needs none of the code that planned it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// A folder that is missing.
    MakeFolder {
        /// Where.
        path: String,
    },
    /// A file or link is put, replaced or (with `after` absent) removed.
    PutFile {
        /// Where.
        path: String,
        /// What was there.
        before: Image,
        /// What shall be there.
        after: Image,
        /// In a file that we share with others: our own lines. They can be taken out again even when the rest has changed since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ours: Option<String>,
    },
    /// A kernel file under `/proc/sys` or `/sys` gets a value.
    Poke {
        /// Which.
        path: String,
        /// The value that it had.
        before: String,
        /// The value that it shall have, as the kernel shows it.
        after: String,
        /// What undoes it where writing `before` back would be refused (`dirty_bytes` 0): other files and values.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        restore: Vec<Setting>,
    },
    /// A swap file is made: 0600, fully allocated, header written.
    MakeSwapFile {
        /// Where.
        path: String,
        /// Bytes, a multiple of 4096.
        size: Bytes,
        /// For the header.
        uuid: String,
        /// As far as the plan can tell it will lie on btrfs, without copy on write.
        nocow: bool,
    },
    /// A swap area is put to use.
    SwapOn {
        /// Which.
        path: String,
        /// −1 leaves it to the kernel.
        priority: i32,
    },
    /// A swap area is taken out of use.
    SwapOff {
        /// Which.
        path: String,
        /// The priority to give back at rollback.
        priority: i32,
        /// Bytes that must fit in memory for it.
        used: Bytes,
    },
    /// A running systemd unit is stopped.
    StopUnit {
        /// Which.
        unit: String,
    },
    /// systemd reads its unit files again.
    ReloadSystemd,
    /// `grub.cfg` is generated anew, checked, and replaced in one step.
    MakeGrubConfig {
        /// Which file.
        path: String,
        /// Kernel arguments that the new file must carry.
        expect: Vec<String>,
        /// SHA-256 of the file as it was: while it is still that, there is nothing to undo.
        before: String,
    },
    /// The initramfs images are made anew.
    MakeInitramfs {
        /// With what.
        tool: InitramfsTool,
    },
}

/// A kernel file and a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Which file.
    pub path: String,
    /// What it gets.
    pub value: String,
}

/// What makes the initramfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InitramfsTool {
    /// `update-initramfs -u -k all`.
    UpdateInitramfs,
    /// `dracut --regenerate-all --force`.
    Dracut,
}

impl Act {
    /// The kind of change, as JSON and people name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MakeFolder { .. } => "folder",
            Self::PutFile { after: Image::Absent, .. } => "remove-file",
            Self::PutFile { after: Image::Link { .. }, .. } => "link",
            Self::PutFile { .. } => "file",
            Self::Poke { path, .. } if path.starts_with("/proc/sys/") => "sysctl",
            Self::Poke { .. } => "runtime",
            Self::MakeSwapFile { .. } => "swap-file",
            Self::SwapOn { .. } => "swap-on",
            Self::SwapOff { .. } => "swap-off",
            Self::StopUnit { .. } => "unit",
            Self::ReloadSystemd | Self::MakeGrubConfig { .. } | Self::MakeInitramfs { .. } => "command",
        }
    }

    /// What it is done to.
    pub fn target(&self) -> &str {
        match self {
            Self::MakeFolder { path }
            | Self::PutFile { path, .. }
            | Self::Poke { path, .. }
            | Self::MakeSwapFile { path, .. }
            | Self::SwapOn { path, .. }
            | Self::SwapOff { path, .. }
            | Self::MakeGrubConfig { path, .. } => path,
            Self::StopUnit { unit } => unit,
            Self::ReloadSystemd => "systemctl daemon-reload",
            Self::MakeInitramfs { tool: InitramfsTool::UpdateInitramfs } => "update-initramfs -u -k all",
            Self::MakeInitramfs { tool: InitramfsTool::Dracut } => "dracut --regenerate-all --force",
        }
    }

    /// Makes something out of the files that other changes put in place: it comes last, forwards and backwards.
    pub fn settles(&self) -> bool {
        self.rank() > 0
    }

    /// Where it comes in a plan: most changes first, then systemd hears of its units, and what the next boot rests on
    /// comes last.
    pub fn rank(&self) -> u8 {
        match self {
            Self::ReloadSystemd => 1,
            Self::MakeInitramfs { .. } => 2,
            Self::MakeGrubConfig { .. } => 3,
            _ => 0,
        }
    }

    /// Needs a running kernel, so that it has no place under `--root`.
    pub fn is_runtime(&self) -> bool {
        !matches!(self, Self::MakeFolder { .. } | Self::PutFile { .. } | Self::MakeSwapFile { .. })
    }

    /// Old and new value in a few words, for changes that are not a file's text.
    pub fn before_and_after(&self) -> (String, String) {
        match self {
            Self::Poke { before, after, .. } => (before.clone(), after.clone()),
            Self::PutFile { before, after, .. } => (image_in_words(before), image_in_words(after)),
            Self::MakeFolder { .. } => (t!("absent"), t!("folder, 0755")),
            Self::MakeSwapFile { size, .. } => (t!("absent"), format!("{size}, 0600")),
            Self::SwapOn { .. } => (t!("off"), t!("on")),
            Self::SwapOff { .. } => (t!("on"), t!("off")),
            Self::StopUnit { .. } => (t!("active"), t!("inactive")),
            Self::ReloadSystemd | Self::MakeGrubConfig { .. } | Self::MakeInitramfs { .. } => {
                (t!("outdated"), t!("made anew"))
            }
        }
    }
}

fn image_in_words(image: &Image) -> String {
    match image {
        Image::Absent => t!("absent"),
        Image::File { content, mode, .. } => {
            t!("{count} bytes, {mode}", count = content.0.len(), mode = format!("{mode:04o}"))
        }
        Image::Link { target } => t!("link to {target}", target = target),
        Image::Other { what } => what.clone(),
    }
}

/// A remark of one tunable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Which tunable speaks.
    pub tunable: String,
    /// What it says.
    pub text: String,
}
