//! Is a port of this host free? The kernel alone can tell.

use std::io;
use std::net::{IpAddr, TcpListener, UdpSocket};

use super::Host;

impl Host {
    /// Opens a port as an engine would, and closes it at once. The error is the kernel's: the port is taken, or the address
    /// is none of this host's. Under `--root` there is nothing to ask, and all is well.
    pub fn try_port(&self, address: IpAddr, port: u16, is_udp: bool) -> io::Result<()> {
        if !self.is_live() {
            return Ok(());
        }
        if is_udp {
            UdpSocket::bind((address, port)).map(|_| ())
        } else {
            TcpListener::bind((address, port)).map(|_| ())
        }
    }

    /// A port of loopback that is free at this moment.
    pub fn free_port(&self) -> io::Result<u16> {
        Ok(TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
    }
}
