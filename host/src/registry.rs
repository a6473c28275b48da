//! The generations of one server: which there are, which is active, and where back leads.
//!
//! Owned by the control thread; every change asserts that it is on it. Two things are kept apart:
//! the list of generations, and the history of uses that `rollback` walks backwards.
//!
//! ```text
//!  status      verb          becomes     what else
//!  ----------  ------------  ----------  -------------------------------------------------------
//!  (none)      insert        available   takes the next number
//!  available   activate      active      the active one becomes available; history grows
//!  available   roll back to  active      the active one becomes available, never again a way back
//!                                        until an admin uses it by its number
//!  available   discard       discarded   no call can reach it; its number is never given again
//!  active      activate      active      nothing changes
//!  active      roll back to  -           cannot be: the way back is never the active one
//!  active      discard       refused     ACTIVE
//!  discarded   activate      refused     DISCARDED
//!  discarded   roll back to  -           cannot be: the way back is never discarded
//!  discarded   discard       refused     DISCARDED
//!  no such     any           refused     NOGENERATION
//! ```

use std::thread::ThreadId;

use jiff::Timestamp;

use crate::data::Digest;
use crate::error::{Code, Error, Result};
use crate::generation::{Artifact, Callable};
use crate::loader::{Image, Retained};

/// Records of discarded and unmapped generations that are remembered, for clear refusals.
const MAX_REMEMBERED: usize = 16;
/// Uses that the history remembers.
const MAX_HISTORY: usize = 256;

/// Status of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Serves the clients. Exactly one generation is active.
    Active,
    /// Loaded, and can be used at once.
    Available,
    /// Given up.
    Discarded,
}

impl Status {
    /// The word in tables, JSON and logs.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Available => "available",
            Self::Discarded => "discarded",
        }
    }
}

/// One successful load of one artifact into one server.
#[derive(Debug)]
pub struct Generation {
    /// From 1, never reused.
    pub number: u64,
    /// What was loaded.
    pub artifact: Artifact,
    /// Active, available or discarded.
    pub status: Status,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// Why its image could not be unmapped, once it is discarded.
    pub retained: Option<Retained>,
    /// A rollback left it, so no rollback leads to it.
    left_by_rollback: bool,
    /// How to call it. Gone once it is discarded: nothing can reach it then.
    callable: Option<Callable>,
    /// Its mapped image. Gone once it is discarded.
    image: Option<Image>,
}

/// What a load hands to the registry. Tests have no image.
#[derive(Debug)]
pub struct Fresh {
    /// What was loaded.
    pub artifact: Artifact,
    /// How to call it.
    pub callable: Callable,
    /// Its mapped image.
    pub image: Option<Image>,
}

/// The generations of one server.
#[derive(Debug)]
pub struct Registry {
    server: String,
    generations: Vec<Generation>,
    /// Numbers in the order of use, the active one last; a rollback takes entries off the end.
    history: Vec<u64>,
    next: u64,
    /// What is loaded at the next start.
    permanent: u64,
    owner: ThreadId,
}

impl Generation {
    /// Warm: image mapped, ready to be used at once. Cold: known, not mapped.
    pub const fn temperature(&self) -> &'static str {
        if self.callable.is_some() { "warm" } else { "cold" }
    }

    /// Whether its image is in the process's memory, wanted or not.
    pub const fn is_mapped(&self) -> bool {
        self.callable.is_some() || self.retained.is_some()
    }

    /// `kv 2.0.0 (generation 2)`.
    pub fn title(&self) -> String {
        let Artifact { plugin, version, .. } = &self.artifact;
        format!("{plugin} {version} (generation {})", self.number)
    }
}

impl Registry {
    /// The registry of a server that starts with `first` as its active generation.
    ///
    /// The thread that calls this owns the registry.
    pub fn start(server: &str, first: Fresh) -> Self {
        Self::resume(server, Vec::new(), first)
    }

    /// The registry of a server that starts with `active`, and with `before` as the ways back from it,
    /// the oldest first. Their numbers follow one another.
    ///
    /// The thread that calls this owns the registry.
    pub fn resume(server: &str, before: Vec<Fresh>, active: Fresh) -> Self {
        let owner = std::thread::current().id();
        let (generations, history) = (Vec::new(), Vec::new());
        let (server, permanent) = (server.to_owned(), active.callable.generation);
        let next = before.first().unwrap_or(&active).callable.generation;
        let mut registry = Self { server, generations, history, next, permanent, owner };
        for fresh in before.into_iter().chain([active]) {
            let number = registry.insert(fresh);
            registry.history.push(number);
        }
        registry.find(permanent).status = Status::Active;
        registry
    }

    fn assert_owner(&self) {
        let here = std::thread::current().id();
        assert_eq!(here, self.owner, "a registry is changed by the control thread only");
    }

    /// The number that the next successful load gets.
    pub const fn next_number(&self) -> u64 {
        self.next
    }

    /// All generations that are remembered, in the order of their numbers.
    pub fn all(&self) -> &[Generation] {
        &self.generations
    }

    /// Artifacts of the generations that can be used.
    pub fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        let usable = self.generations.iter().filter_map(|generation| generation.callable.as_ref());
        usable.map(|callable| callable.digest)
    }

    /// The generation that serves.
    pub fn active(&self) -> &Generation {
        let mut active = self.generations.iter().filter(|g| g.status == Status::Active);
        active.next().expect("exactly one generation is active: Registry::start made it so")
    }

    /// Generations that take part in the limit of resident ones.
    pub fn resident(&self) -> usize {
        self.generations.iter().filter(|g| g.callable.is_some()).count()
    }

    /// Discarded generations whose image could not be unmapped.
    pub fn retained(&self) -> usize {
        self.generations.iter().filter(|g| g.retained.is_some()).count()
    }

    /// The generation with this number.
    ///
    /// # Errors
    /// `NOGENERATION` with the numbers there are.
    pub fn get(&self, number: u64) -> Result<&Generation> {
        let forgotten = number > 0 && number < self.next;
        let mut all = self.generations.iter();
        all.find(|g| g.number == number).ok_or_else(|| self.unknown(number, forgotten))
    }

    /// How to call a generation that can be used.
    ///
    /// # Errors
    /// `NOGENERATION`, `DISCARDED`.
    pub fn callable(&self, number: u64) -> Result<Callable> {
        let generation = self.get(number)?;
        generation.callable.clone().ok_or_else(|| self.discarded(generation))
    }

    /// Adds a generation, available. The last statement of a load.
    pub fn insert(&mut self, fresh: Fresh) -> u64 {
        self.assert_owner();
        let number = self.next;
        assert_eq!(fresh.callable.generation, number, "the loader was given the next number");
        self.next += 1;
        self.generations.push(Generation {
            number,
            artifact: fresh.artifact,
            status: Status::Available,
            loaded_at: Timestamp::now(),
            retained: None,
            left_by_rollback: false,
            callable: Some(fresh.callable),
            image: fresh.image,
        });
        number
    }

    /// Records that the engine has switched to `number`. Cannot fail: the engine has done it.
    pub fn activate(&mut self, number: u64) {
        self.assert_owner();
        if self.active().number == number {
            return;
        }
        self.set_active(number);
        self.find(number).left_by_rollback = false;
        self.history.push(number);
        if self.history.len() > MAX_HISTORY {
            self.history.remove(0);
        }
    }

    /// Where `rollback` leads: backwards along the use history, past every generation that is
    /// discarded or that a rollback has left.
    pub fn rollback_target(&self) -> Option<u64> {
        let active = self.active().number;
        let leads_back = |number: &u64| {
            let sound = |g: &Generation| g.callable.is_some() && !g.left_by_rollback;
            *number != active && self.get(*number).is_ok_and(sound)
        };
        self.history.iter().rev().copied().find(leads_back)
    }

    /// The refusal when there is no way back.
    pub fn no_rollback(&self) -> Error {
        Error::new(
            Code::NoRollback,
            format!("cannot roll back server '{}'", self.server),
            format!("{} is active and no earlier one is left", self.active().title()),
            "`list` shows what can be used; `use GEN` switches to any of them",
        )
    }

    /// Which generation is loaded at the next start.
    pub const fn permanent(&self) -> u64 {
        self.permanent
    }

    /// Records that a generation is good.
    pub fn make_permanent(&mut self, number: u64) {
        self.assert_owner();
        self.permanent = number;
    }

    /// Records that the engine has rolled back to [`Registry::rollback_target`].
    pub fn roll_back(&mut self) {
        self.assert_owner();
        let target = self.rollback_target().expect("the caller has asked for the target before");
        let left = self.active().number;
        self.find(left).left_by_rollback = true;
        self.set_active(target);
        self.permanent = target;
        while self.history.last().is_some_and(|&last| last != target) {
            self.history.pop();
        }
    }

    /// The oldest generation that `swap` may discard by itself: neither the active one, nor the
    /// way back, nor the permanent one.
    pub fn expendable(&self) -> Option<u64> {
        let way_back = self.rollback_target();
        let mut available = self.generations.iter().filter(|g| g.status == Status::Available);
        let needed = |number| Some(number) == way_back || number == self.permanent;
        available.find(|g| !needed(g.number)).map(|g| g.number)
    }

    /// Whether `discard` would be refused, without doing it.
    ///
    /// # Errors
    /// `NOGENERATION`, `DISCARDED`, `ACTIVE`.
    pub fn may_discard(&self, number: u64) -> Result<()> {
        let generation = self.get(number)?;
        match generation.status {
            Status::Available => Ok(()),
            Status::Discarded => Err(self.discarded(generation)),
            Status::Active => Err(Error::new(
                Code::Active,
                format!("cannot discard {} of server '{}'", generation.title(), self.server),
                "it is the active generation",
                "`use` another generation first, then discard this one",
            )),
        }
    }

    /// Retires a generation: nothing can reach it from here on. Hands out its image, to be
    /// unmapped.
    ///
    /// # Errors
    /// `NOGENERATION`, `DISCARDED`, `ACTIVE`.
    pub fn discard(&mut self, number: u64) -> Result<Option<Image>> {
        self.assert_owner();
        self.may_discard(number)?;
        self.history.retain(|&used| used != number);
        let generation = self.find(number);
        generation.status = Status::Discarded;
        generation.callable = None;
        generation.retained = Some(Retained::because("it is being unmapped"));
        Ok(generation.image.take())
    }

    /// Records what became of the image of a discarded generation, and forgets the oldest records.
    pub fn unmapped(&mut self, number: u64, retained: Option<Retained>) {
        self.assert_owner();
        self.find(number).retained = retained;
        self.forget();
    }

    /// Drops the word `retained` from images that have gone in the meantime.
    pub fn look_again(&mut self) {
        self.assert_owner();
        for generation in &mut self.generations {
            generation.retained.take_if(|retained| !retained.is_mapped());
        }
        self.forget();
    }

    /// Forgets the oldest records of generations of which nothing is left.
    fn forget(&mut self) {
        let gone = |g: &Generation| g.status == Status::Discarded && g.retained.is_none();
        let mut excess =
            self.generations.iter().filter(|g| gone(g)).count().saturating_sub(MAX_REMEMBERED);
        self.generations.retain(|g| {
            let forget = gone(g) && excess > 0;
            excess -= usize::from(forget);
            !forget
        });
    }

    /// Hands out every image. Only for a server whose engine has ended: nothing is called any
    /// more.
    pub fn close_down(&mut self) -> Vec<Image> {
        self.assert_owner();
        self.generations.iter_mut().filter_map(|generation| generation.image.take()).collect()
    }

    fn find(&mut self, number: u64) -> &mut Generation {
        let mut all = self.generations.iter_mut();
        all.find(|g| g.number == number).expect("the caller has looked it up on this thread")
    }

    fn set_active(&mut self, number: u64) {
        let from = self.active().number;
        self.find(from).status = Status::Available;
        let to = self.find(number);
        assert!(to.callable.is_some(), "only a warm generation is switched to");
        to.status = Status::Active;
    }

    /// The refusal of a number that no generation has; `forgotten`: one had it.
    pub fn unknown(&self, number: impl std::fmt::Display, forgotten: bool) -> Error {
        let numbers: Vec<String> = self.generations.iter().map(|g| g.number.to_string()).collect();
        let there = format!("it has {}", numbers.join(", "));
        let detail = if forgotten { format!("it was discarded; {there}") } else { there };
        let message = format!("server '{}' has no generation {number}", self.server);
        Error::new(Code::NoGeneration, message, detail, "`list` shows all of them")
    }

    fn discarded(&self, generation: &Generation) -> Error {
        let hint = format!("`load {}` makes a new generation", generation.artifact.path.display());
        let message = format!("{} of server '{}' is gone", generation.title(), self.server);
        Error::new(Code::Discarded, message, "it was discarded", hint)
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
