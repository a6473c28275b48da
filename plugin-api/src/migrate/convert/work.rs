//! [`Work`]: where a conversion is.

use super::Step;
use super::journal::Journal;
use crate::migrate::marks::Mark;

/// A conversion under way: where it writes what it does, and where in the old value it is.
pub(super) struct Work<'j> {
    pub journal: &'j mut Journal,
    /// The way to it in the old value.
    pub path: Vec<Step>,
    /// The way to it in the new value, outside of maps and lists.
    pub new_path: Vec<Step>,
    /// Within a map's entry a value that does not fit takes the entry with it; elsewhere the field
    /// starts with its default.
    pub in_entry: bool,
    /// Within a map's entry, however deep.
    pub in_map: bool,
    /// The entries that it is in, outermost first.
    pub marks: Vec<Mark>,
}

impl<'j> Work<'j> {
    /// At the start of a value that lies in nothing.
    pub fn new(journal: &'j mut Journal) -> Self {
        let (path, new_path, marks) = (Vec::new(), Vec::new(), Vec::new());
        Self { journal, path, new_path, in_entry: false, in_map: false, marks }
    }

    /// Does something one step further down the old value.
    pub fn within<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let done = work(self);
        self.path.pop();
        done
    }

    /// Does something in an entry of a map.
    pub fn within_entry<T>(
        &mut self,
        key: Step,
        mark: Mark,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.marks.push(mark);
        let done = self.within(key, work);
        self.marks.pop();
        done
    }

    /// Does something one step further down the new value.
    pub fn into<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> T) -> T {
        self.new_path.push(step);
        let done = work(self);
        self.new_path.pop();
        done
    }

    /// Does something one step further down both.
    pub fn both<T>(&mut self, step: Step, work: impl FnOnce(&mut Self) -> T) -> T {
        self.within(step.clone(), |this| this.into(step, work))
    }
}
