//! [`Buffer`]'s methods, and [`Out`], the writer that plugins see.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use std::io;

use crate::abi::Buffer;
use crate::heap;

impl Buffer {
    /// An empty buffer, without memory.
    pub const fn new() -> Self {
        Self { ptr: NonNull::dangling().as_ptr(), len: 0, cap: 0 }
    }

    /// The bytes in use.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: Invariant: `ptr` is valid for `len` initialised bytes.
        unsafe { core::slice::from_raw_parts(self.ptr, self.len) }
    }

    /// The bytes in use, to change in place.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and `self` is borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.ptr, self.len) }
    }

    /// Appends bytes, growing by doubling. Amortised O(n).
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        if self.cap - self.len < bytes.len() {
            self.grow(bytes.len());
        }
        // SAFETY: there is room for `bytes` behind `len`, and a growing buffer cannot overlap them.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.ptr.add(self.len), bytes.len());
        }
        self.len += bytes.len();
    }

    /// Appends bytes between two short ones of fixed lengths, with one look at the room. Amortised O(n).
    #[inline]
    pub fn extend_between<const A: usize, const B: usize>(
        &mut self,
        before: &[u8; A],
        bytes: &[u8],
        behind: &[u8; B],
    ) {
        self.reserve(A + bytes.len() + B);
        // SAFETY: there is room for all three behind `len`, and a growing buffer cannot overlap them.
        unsafe {
            let at = self.ptr.add(self.len);
            core::ptr::copy_nonoverlapping(before.as_ptr(), at, A);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), at.add(A), bytes.len());
            core::ptr::copy_nonoverlapping(behind.as_ptr(), at.add(A + bytes.len()), B);
        }
        self.len += A + bytes.len() + B;
    }

    /// Makes room for at least `additional` bytes behind the content.
    #[inline]
    pub fn reserve(&mut self, additional: usize) {
        if self.cap - self.len < additional {
            self.grow(additional);
        }
    }

    /// The free room behind the content, whose bytes may be uninitialised.
    #[inline]
    pub fn spare(&mut self) -> &mut [core::mem::MaybeUninit<u8>] {
        // SAFETY: Invariant: `ptr` is valid for `cap` bytes.
        unsafe {
            core::slice::from_raw_parts_mut(self.ptr.add(self.len).cast(), self.cap - self.len)
        }
    }

    /// Counts `n` bytes of [`Buffer::spare`] as content.
    ///
    /// # Safety
    /// The first `n` bytes of the spare room are initialised.
    #[inline]
    pub unsafe fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.cap - self.len);
        self.len += n;
    }

    /// Shortens the content to `len` bytes; longer is a no-op. O(1).
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Removes the first `n` bytes. O(rest).
    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.len);
        self.as_mut_slice().copy_within(n.., 0);
        self.len -= n;
    }

    /// Gives memory above `keep` bytes back, if the content fits.
    pub fn shrink_to(&mut self, keep: usize) {
        let target = keep.max(self.len);
        if self.cap > target {
            self.resize_memory(target);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) {
        let needed = self.len.checked_add(additional).expect("buffer length overflows");
        self.resize_memory(needed.max(self.cap * 2).max(64));
    }

    fn resize_memory(&mut self, cap: usize) {
        assert!(cap <= isize::MAX as usize, "buffer length overflows");
        let old = Layout::array::<u8>(self.cap).expect("an existing capacity is valid");
        let ptr = NonNull::new(self.ptr).expect("a buffer's pointer is never null");
        // SAFETY: Invariant: `ptr` came from the state heap with `cap` bytes, or `cap` is 0.
        self.ptr = unsafe { heap::realloc(ptr, old, cap) }.as_ptr();
        self.cap = cap;
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.cap > 0 {
            self.len = 0;
            self.resize_memory(0);
        }
    }
}

/// The output of one client: bytes written here are sent when the call has returned.
///
/// Implements [`io::Write`] and [`fmt::Write`]; neither ever fails.
#[derive(Debug)]
pub struct Out<'a> {
    buffer: &'a mut Buffer,
}

impl<'a> Out<'a> {
    /// A writer into `buffer`.
    #[inline(always)]
    pub fn new(buffer: &'a mut Buffer) -> Self {
        Self { buffer }
    }

    /// Appends bytes. Amortised O(n).
    #[inline(always)]
    pub fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Appends bytes between two short ones of fixed lengths: a head, and an end of line.
    #[inline(always)]
    pub fn put_between<const A: usize, const B: usize>(
        &mut self,
        before: &[u8; A],
        bytes: &[u8],
        behind: &[u8; B],
    ) {
        self.buffer.extend_between(before, bytes, behind);
    }

    /// Makes room for `n` more bytes, for replies of a known size.
    #[inline]
    pub fn reserve(&mut self, n: usize) {
        self.buffer.reserve(n);
    }

    /// Unsent bytes, those of earlier requests included.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len
    }

    /// Whether nothing is unsent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buffer.len == 0
    }

    /// Cuts the output back to `len` bytes, a value of [`Out::len`] from earlier in the same call:
    /// for replies whose size is known only at the end.
    #[inline]
    pub fn truncate(&mut self, len: usize) {
        self.buffer.truncate(len);
    }

    /// All unsent bytes. Changing those written in this call is fine (patching a length, say).
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.buffer.as_mut_slice()
    }

    /// The same writer for a shorter time.
    #[inline]
    pub fn reborrow(&mut self) -> Out<'_> {
        Out { buffer: self.buffer }
    }
}

impl io::Write for Out<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Write for Out<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}
