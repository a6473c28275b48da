//! Random versions, and random next versions of them: what an author does by name.
//!
//! Names are never used twice, so that a field that comes is not one that went. A field moves from
//! struct to struct once, and the struct it moves into stays inline: a plan from the first version
//! to the last cannot see what was between.

use std::collections::HashSet;

use hotshell_plugin_api::schema::Kind;

use crate::random::Random;
use crate::version::{Def, Group, Member, Ty, Version};

/// Makes definitions. Names and identities are its own.
pub struct Author<'a> {
    pub random: &'a mut Random,
    named: usize,
    /// First names of fields that have moved into another struct or out of one.
    moved: HashSet<String>,
    /// Structs that were made for fields to move into.
    nests: HashSet<usize>,
    /// Whether a variant was removed: values of it do not fit.
    pub lost: bool,
}

impl<'a> Author<'a> {
    pub fn new(random: &'a mut Random) -> Self {
        Self { random, named: 0, moved: HashSet::new(), nests: HashSet::new(), lost: false }
    }

    fn number(&mut self) -> usize {
        self.named += 1;
        self.named
    }

    fn name(&mut self, what: &str) -> String {
        format!("{what}{}", self.number())
    }

    /// A first version of a few definitions.
    pub fn first(&mut self) -> Version {
        let count = 2 + self.random.below(4);
        // Definitions use later ones inline, and any behind a pointer: no type has infinite size.
        let ids: Vec<usize> = (0..count).map(|_| self.number()).collect();
        let mut defs = Vec::new();
        for at in 0..count {
            let is_enum = at > 0 && self.random.below(3) == 0;
            let groups = if is_enum { 1 + self.random.below(3) } else { 1 };
            let groups = (0..groups).map(|_| self.group(&ids, at)).collect();
            let name = self.name("D");
            defs.push(Def { id: ids[at], name, was: Vec::new(), is_enum, groups });
        }
        Version::new(defs)
    }

    fn group(&mut self, ids: &[usize], at: usize) -> Group {
        let count = self.random.below(5);
        let members = (0..count).map(|_| self.member(ids, at)).collect();
        Group { name: self.name("V"), was: Vec::new(), members }
    }

    fn member(&mut self, ids: &[usize], at: usize) -> Member {
        let ty = self.ty(ids, at, 3);
        Member { name: self.name("f"), was: Vec::new(), ty }
    }

    fn ty(&mut self, ids: &[usize], at: usize, depth: usize) -> Ty {
        let leaf = depth == 0;
        match self.random.below(if leaf { 5 } else { 13 }) {
            0 => Ty::Bool,
            1 => Ty::Text,
            2..=4 => self.small_number(),
            5 => Ty::Option(Box::new(self.ty(ids, at, depth - 1))),
            6 => Ty::Array(Box::new(self.ty(ids, at, 0)), 2),
            7 => Ty::Box(Box::new(self.behind(ids, at, depth))),
            8 => Ty::Vec(Box::new(self.behind(ids, at, depth))),
            9 => Ty::Deque(Box::new(self.behind(ids, at, depth))),
            10 => Ty::Map(Box::new(self.behind(ids, at, depth))),
            11 => Ty::Tree(Box::new(self.behind(ids, at, depth))),
            _ => match ids.get(at + 1 + self.random.below(3)) {
                Some(&id) => Ty::Def(id),
                None => Ty::Bool,
            },
        }
    }

    /// Behind a pointer anything may stand, the type itself included; a box around oneself has no
    /// value that ends, but an option or a list around it has.
    fn behind(&mut self, ids: &[usize], at: usize, depth: usize) -> Ty {
        match self.random.below(3) {
            0 => Ty::Vec(Box::new(Ty::Def(ids[self.random.below(ids.len())]))),
            _ => self.ty(ids, at, depth - 1),
        }
    }

    fn small_number(&mut self) -> Ty {
        match self.random.below(5) {
            0 => Ty::Number(Kind::Float, 4),
            1 => Ty::Number(Kind::Signed, 2),
            2 => Ty::Number(Kind::Unsigned, 1),
            3 => Ty::Number(Kind::Signed, 4),
            _ => Ty::Number(Kind::Unsigned, 4),
        }
    }

    /// The next version: one to four changes.
    pub fn next(&mut self, version: &Version) -> Version {
        let mut defs = version.defs.clone();
        for _ in 0..1 + self.random.below(4) {
            let at = self.random.below(defs.len());
            match self.random.below(12) {
                0 | 1 => self.add_field(&mut defs, at),
                2 => self.with_field(&mut defs, at, |_, group, i| drop(group.members.remove(i))),
                3 => self.with_field(&mut defs, at, |_, group, i| group.members.rotate_left(i)),
                4 => self.with_field(&mut defs, at, |author, group, i| {
                    let fresh = author.name("f");
                    let member = &mut group.members[i];
                    let before = std::mem::replace(&mut member.name, fresh);
                    member.was.push(before);
                }),
                5 => self.with_field(&mut defs, at, |_, group, i| widen(&mut group.members[i].ty)),
                6 => self.wrap(&mut defs, at, Ty::Option),
                7 => self.wrap(&mut defs, at, Ty::Box),
                8 => self.change_variants(&mut defs[at]),
                9 => {
                    let fresh = self.name("D");
                    let before = std::mem::replace(&mut defs[at].name, fresh);
                    defs[at].was.push(before);
                }
                10 => self.nest(&mut defs, at),
                _ => self.flatten(&mut defs, at),
            }
        }
        Version::new(defs)
    }

    fn add_field(&mut self, defs: &mut [Def], at: usize) {
        let group = self.random.below(defs[at].groups.len());
        let ty = if self.random.below(2) == 0 { Ty::Text } else { self.small_number() };
        let member = Member { name: self.name("f"), was: Vec::new(), ty };
        let members = &mut defs[at].groups[group].members;
        members.insert(self.random.below(members.len() + 1), member);
    }

    fn with_field(
        &mut self,
        defs: &mut [Def],
        at: usize,
        change: impl FnOnce(&mut Self, &mut Group, usize),
    ) {
        let at_group = self.random.below(defs[at].groups.len());
        let group = &mut defs[at].groups[at_group];
        if !group.members.is_empty() {
            let field = self.random.below(group.members.len());
            change(self, group, field);
        }
    }

    fn wrap(&mut self, defs: &mut [Def], at: usize, wrapped: fn(Box<Ty>) -> Ty) {
        self.with_field(defs, at, |author, group, i| {
            let ty = group.members[i].ty.clone();
            if !matches!(&ty, Ty::Def(id) if author.nests.contains(id)) {
                group.members[i].ty = wrapped(Box::new(ty));
            }
        });
    }

    /// Notes that these fields move; false when one has moved before.
    fn may_move(&mut self, members: &[Member]) -> bool {
        let first = |member: &Member| member.was.first().unwrap_or(&member.name).clone();
        let names: Vec<String> = members.iter().map(first).collect();
        let fresh = names.iter().all(|name| !self.moved.contains(name));
        if fresh {
            self.moved.extend(names);
        }
        fresh
    }

    fn change_variants(&mut self, def: &mut Def) {
        if !def.is_enum {
            return;
        }
        let at = self.random.below(def.groups.len());
        match self.random.below(4) {
            0 if def.groups.len() > 1 => {
                self.lost = true;
                def.groups.remove(at);
            }
            1 => def.groups.rotate_left(at),
            2 => {
                let fresh = self.name("V");
                let before = std::mem::replace(&mut def.groups[at].name, fresh);
                def.groups[at].was.push(before);
            }
            _ => {
                let (name, was) = (self.name("V"), Vec::new());
                def.groups.insert(at, Group { name, was, members: Vec::new() });
            }
        }
    }

    /// Some fields move into a new struct.
    fn nest(&mut self, defs: &mut Vec<Def>, at: usize) {
        let group = self.random.below(defs[at].groups.len());
        let members = &mut defs[at].groups[group].members;
        if members.is_empty() {
            return;
        }
        let from = self.random.below(members.len());
        if !self.may_move(&members[from..]) {
            return;
        }
        let moved: Vec<Member> = members.drain(from..).collect();
        let (id, name) = (self.number(), self.name("D"));
        self.nests.insert(id);
        members.push(Member { name: self.name("f"), was: Vec::new(), ty: Ty::Def(id) });
        let group = Group { name: String::new(), was: Vec::new(), members: moved };
        defs.push(Def { id, name, was: Vec::new(), is_enum: false, groups: vec![group] });
    }

    /// The fields of a struct that is used in one place move out of it.
    fn flatten(&mut self, defs: &mut [Def], at: usize) {
        let uses = |id: usize| {
            let members = defs.iter().flat_map(|def| &def.groups).flat_map(|group| &group.members);
            members.map(|member| mentions(&member.ty, id)).sum::<usize>()
        };
        let group = self.random.below(defs[at].groups.len());
        let inline = defs[at].groups[group].members.iter().enumerate().find_map(|(i, member)| {
            let Ty::Def(id) = member.ty else { return None };
            let def = defs.iter().find(|def| def.id == id).expect("it is there");
            let inner = &def.groups[0].members;
            (!def.is_enum && uses(id) == 1).then(|| (i, member.clone(), inner.clone()))
        });
        let nests = |member: &Member| matches!(&member.ty, Ty::Def(id) if self.nests.contains(id));
        if let Some((i, outer, inner)) = inline
            && !inner.iter().any(nests)
            && self.may_move(&[&inner[..], &[outer]].concat())
        {
            defs[at].groups[group].members.splice(i..=i, inner);
        }
    }
}

fn mentions(ty: &Ty, id: usize) -> usize {
    match ty {
        Ty::Def(def) => usize::from(*def == id),
        Ty::Option(ty) | Ty::Box(ty) | Ty::Array(ty, _) => mentions(ty, id),
        Ty::Vec(ty) | Ty::Deque(ty) | Ty::Map(ty) | Ty::Tree(ty) => mentions(ty, id),
        Ty::Number(..) | Ty::Bool | Ty::Text => 0,
    }
}

fn widen(ty: &mut Ty) {
    match ty {
        Ty::Number(Kind::Unsigned, size) if *size <= 4 => {
            *ty = Ty::Number(Kind::Signed, *size * 2);
        }
        Ty::Number(Kind::Float, size) => *size = 8,
        Ty::Number(_, size) if *size < 16 => *size *= 2,
        Ty::Option(ty) | Ty::Box(ty) | Ty::Array(ty, _) => widen(ty),
        Ty::Vec(ty) | Ty::Deque(ty) | Ty::Map(ty) | Ty::Tree(ty) => widen(ty),
        _ => {}
    }
}
