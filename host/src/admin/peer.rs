//! Who may use the admin socket: the host's own user, root, and one group if the admin named one.
//!
//! The socket's mode says the same; this is the second lock, which a wrong `chmod` does not open.

use std::fs;
use std::process::Command;

use tokio::net::unix::UCred;

use crate::error::{Code, Error, Result};

/// Who may use the admin socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The host's user.
    pub uid: u32,
    /// The group of `--admin-group`.
    pub gid: Option<u32>,
}

impl Access {
    /// Whether this peer may.
    ///
    /// # Errors
    /// `DENIED`, with both users.
    pub fn check(self, peer: &UCred) -> Result<()> {
        let (uid, pid) = (peer.uid(), peer.pid());
        let member = |gid| peer.gid() == gid || pid.is_some_and(|pid| groups(pid).contains(&gid));
        if uid == 0 || uid == self.uid || self.gid.is_some_and(member) {
            return Ok(());
        }
        Err(Error::new(
            Code::Denied,
            "this admin socket is not yours",
            format!("you are user {uid}, the host runs as user {}", self.uid),
            "run as that user or root, or start the host with --admin-group",
        ))
    }
}

/// Supplementary groups of a process; none when it is gone.
fn groups(pid: i32) -> Vec<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Groups:"));
    line.unwrap_or("").split_whitespace().filter_map(|gid| gid.parse().ok()).collect()
}

/// The number of a group, by name or by number.
///
/// # Errors
/// `CONFIG` when there is no such group.
pub fn group_id(group: &str) -> Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let number = |line: &str| -> Option<u32> {
        let mut fields = line.split(':');
        let same = fields.next() == Some(group);
        fields.nth(1).filter(|_| same)?.parse().ok()
    };
    let file = fs::read_to_string("/etc/group").unwrap_or_default();
    // getent also knows groups from LDAP and the like.
    let asked = || {
        let output = Command::new("getent").args(["group", "--", group]).output().ok()?;
        number(String::from_utf8_lossy(&output.stdout).lines().next()?)
    };
    file.lines().find_map(number).or_else(asked).ok_or_else(|| {
        let detail = "neither /etc/group nor getent knows it";
        let hint = "name an existing group, or its number";
        Error::new(Code::Config, format!("there is no group '{group}'"), detail, hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_name_and_by_number() {
        assert_eq!(group_id("root"), Ok(0));
        assert_eq!(group_id("4711"), Ok(4711));
        assert_eq!(group_id("no such group").expect_err("none").code, Code::Config);
    }
}
