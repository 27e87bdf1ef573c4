//! What a boot loader reads has to be at its final place on the disk.

use std::os::fd::AsRawFd as _;

use super::Host;

// GRUB reads ext4 without replaying its journal: what was renamed and fsynced is safe for a kernel, and not there yet for
// GRUB, which follows the old directory entry to an inode that may hold something else by then.
mod ioctl {
    // EXT4_IOC_CHECKPOINT, Linux 5.14: Documentation/filesystems/ext4/journal.rst.
    #![allow(missing_docs)]
    nix::ioctl_write_ptr!(checkpoint, b'f', 43, u32);
}

impl Host {
    /// Has the journal of the file system that holds `path` written out to where it belongs. Best effort: other file systems,
    /// and kernels before 5.14, don't have it.
    pub fn checkpoint(&self, path: &str) {
        if !self.is_live() {
            return;
        }
        let Ok(folder) = self.nearest_folder(path) else { return };
        // SAFETY: the descriptor is open and the kernel reads one u32 from the pointer.
        #[allow(unsafe_code)]
        let _ = unsafe { ioctl::checkpoint(folder.as_raw_fd(), &0) };
    }
}
