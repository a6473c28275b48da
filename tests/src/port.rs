//! A port for a program that must be told one, as long as this lives.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

/// A socket that is bound and does not listen. The system hands its port to nobody who asks for any, and
/// lets a program listen on it that names it, with SO_REUSEADDR as servers do: see socket(7).
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _socket: OwnedFd,
}

impl Port {
    /// One of this machine's own address.
    ///
    /// # Errors
    /// The system has none left.
    pub fn reserve() -> io::Result<Self> {
        let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        set_socket_reuseaddr(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        let address = SocketAddr::try_from(getsockname(&socket)?)?;
        Ok(Self { address, _socket: socket })
    }

    /// Where the program is to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
