//! Kernel parameters: who sets each, who wins, and which values do harm whatever the profile says.

mod files;
mod harm;
mod values;

use super::{Check, Outcome, Remedy, Scene, Severity, shared};

const VM_DOC: &str = "Linux Documentation/admin-guide/sysctl/vm.rst";
const TUNABLE: Remedy = Remedy::Tunable("sysctl");
const EDIT: Remedy = Remedy::ByHand {
    cost: "None.",
    risk: "Whoever wrote the line may have had a reason; ask first.",
    undo: "Put the line back; civicum-tune does not touch it.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-SYSCTL-001",
        title: "the kernel has the value that the profile asks for",
        severity: Severity::Medium,
        why: "Images of providers, tuners and hardening scripts change parameters, and a file that says so proves nothing: the \
              kernel's own value counts.",
        remedy: TUNABLE,
        source: "sysctl.d(5); /proc/sys",
        look: values::live,
    },
    Check {
        id: "CT-SYSCTL-002",
        title: "the next boot sets the value that the profile asks for",
        severity: Severity::Medium,
        why: "Files are read in the order of their names, whatever folder they lie in, and the last line that names a key wins: a \
              value that is right today may be gone after a reboot.",
        remedy: TUNABLE,
        source: "sysctl.d(5)",
        look: values::boot,
    },
    Check {
        id: "CT-SYSCTL-003",
        title: "what /etc/sysctl.conf says takes effect at boot",
        severity: Severity::Medium,
        why: "systemd-sysctl reads /etc/sysctl.conf only where a link in sysctl.d leads to it. Debian 13 and Ubuntu 24.10 dropped \
              that link, and the file stays behind after an upgrade without any effect.",
        remedy: EDIT,
        source: "sysctl.d(5); Debian 13 release notes, Ubuntu 24.10 release notes",
        look: files::conf,
    },
    Check {
        id: "CT-SYSCTL-004",
        title: "every sysctl file can be read",
        severity: Severity::Medium,
        why: "What can't be read sets nothing at boot, or sets what nobody can see.",
        remedy: EDIT,
        source: "sysctl.d(5)",
        look: files::readable,
    },
    Check {
        id: "CT-SYSCTL-005",
        title: "every parameter that a file in /etc sets exists",
        severity: Severity::Low,
        why: "A mistyped name, or one that the kernel dropped, sets nothing, and systemd-sysctl says so only in its debug log.",
        remedy: EDIT,
        source: "sysctl.d(5)",
        look: files::known,
    },
    Check {
        id: "CT-SYSCTL-006",
        title: "no line of a sysctl file in /etc is ignored",
        severity: Severity::Low,
        why: "A line without `=` sets nothing; whoever wrote it believes that it does.",
        remedy: EDIT,
        source: "sysctl.d(5)",
        look: files::well_formed,
    },
    Check {
        id: "CT-SYSCTL-007",
        title: "files in /etc agree with each other",
        severity: Severity::Low,
        why: "Where two lines set one key to two values, a reader can't tell which one is meant.",
        remedy: EDIT,
        source: "sysctl.d(5)",
        look: files::agree,
    },
    Check {
        id: "CT-SYSCTL-008",
        title: "memory may be promised beyond the RAM",
        severity: Severity::High,
        why: "With vm.overcommit_memory = 2 the kernel refuses what language models and containers reserve and never touch: they \
              fail to start on a host that is half empty.",
        remedy: TUNABLE,
        source: "Linux Documentation/mm/overcommit-accounting.rst",
        look: harm::overcommit,
    },
    Check {
        id: "CT-SYSCTL-009",
        title: "the kernel may use its compressed swap",
        severity: Severity::Medium,
        why: "With vm.swappiness 0 or 1 the kernel throws away the page cache down to the last page before it uses zswap at all.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::swappiness,
    },
    Check {
        id: "CT-SYSCTL-010",
        title: "the kernel keeps no more than a twentieth of the RAM free",
        severity: Severity::High,
        why: "vm.min_free_kbytes is memory that no program may ever use; a value made for a larger host brings the OOM killer to a \
              small one.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::min_free,
    },
    Check {
        id: "CT-SYSCTL-011",
        title: "the host survives when memory runs out",
        severity: Severity::High,
        why: "With vm.panic_on_oom the whole host goes down where one container could be restarted.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::panic_on_oom,
    },
    Check {
        id: "CT-SYSCTL-012",
        title: "the OOM killer goes by the scores",
        severity: Severity::High,
        why: "With vm.oom_kill_allocating_task whoever asks at the wrong moment is killed, the database as well as a worker: \
              oom_score_adj does not count.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::allocating_task,
    },
    Check {
        id: "CT-SYSCTL-013",
        title: "no zone is reclaimed before its time",
        severity: Severity::Medium,
        why: "On a host with one memory node vm.zone_reclaim_mode only makes allocations wait and empties the page cache early.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::zone_reclaim,
    },
    Check {
        id: "CT-SYSCTL-014",
        title: "no file takes forwarding away from containers",
        severity: Severity::Medium,
        why: "Docker switches net.ipv4.ip_forward on when it starts. A file that says 0 cuts the containers off whenever the sysctl \
              files are read again.",
        remedy: EDIT,
        source: "docs.docker.com, Packet filtering and firewalls",
        look: harm::forwarding,
    },
    Check {
        id: "CT-SYSCTL-015",
        title: "the host starts again after a kernel panic",
        severity: Severity::Low,
        why: "With kernel.panic = 0, the kernel's default, the host stands still until somebody resets it.",
        remedy: TUNABLE,
        source: "Linux Documentation/admin-guide/sysctl/kernel.rst",
        look: harm::panic,
    },
    Check {
        id: "CT-SYSCTL-016",
        title: "programs may map as many files as the kernel's default allows",
        severity: Severity::Medium,
        why: "Model loaders and databases map many files; below the default of 65530 they end with an error that does not name the \
              reason.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::map_count,
    },
    Check {
        id: "CT-SYSCTL-017",
        title: "no file undoes a value by its other name",
        severity: Severity::Low,
        why: "vm.dirty_bytes and vm.dirty_ratio are two names for one limit: the kernel sets one to 0 when the other is written.",
        remedy: EDIT,
        source: VM_DOC,
        look: values::twins,
    },
    Check {
        id: "CT-SYSCTL-018",
        title: "data is written in the background before programs must wait",
        severity: Severity::Low,
        why: "Where the background limit is not below the hard one, the kernel takes half of the hard one, and nobody reads that \
              anywhere.",
        remedy: TUNABLE,
        source: VM_DOC,
        look: harm::dirty,
    },
];
