//! [`Level`]: the Redis version that is spoken.

/// A Redis version, as far as commands and options depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u32);

impl Level {
    /// The level of a version.
    pub const fn of(major: u8, minor: u8, patch: u8) -> Self {
        Self((major as u32) << 16 | (minor as u32) << 8 | patch as u32)
    }

    /// As one number, for the state.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Major, minor, patch.
    pub const fn parts(self) -> (u8, u8, u8) {
        ((self.0 >> 16) as u8, (self.0 >> 8) as u8, self.0 as u8)
    }
}

/// Shorthand for rows: [`Level::of`] with patch 0.
pub const fn v(major: u8, minor: u8) -> Level {
    Level::of(major, minor, 0)
}
