//! Goal: what a plan promises holds for versions that nobody thought of.
//! Method: random definitions and random changes of them, as data, with seeds that failures name;
//! plans are followed on values by name. `SEED=n` runs one seed, `SEEDS=n` that many.

mod evolve;
mod random;
mod value;
mod version;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use evolve::Author;
use hotshell_plugin_api::migrate::compare::Comparison;
use hotshell_plugin_api::migrate::plan::{Fields, How, Plan, Refused};
use hotshell_plugin_api::schema::{Field, Kind, Schema, TypeIndex};
use random::Random;
use value::{Convert, Value, normal};
use version::Version;

/// How many seeds a test runs by default.
const SEEDS: u64 = 2_000;

/// Runs a test with many seeds; a failure names its own.
fn seeds(test: impl Fn(&mut Random)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let range = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    for seed in range {
        let run = catch_unwind(AssertUnwindSafe(|| test(&mut Random::new(seed))));
        if let Err(panic) = run {
            eprintln!("the seed is SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn plan(from: &Version, to: &Version) -> Result<Plan, Refused> {
    Plan::between(from.side(), to.side())
}

fn by_name(from: &Version, to: &Version) -> Plan {
    plan(from, to).unwrap_or_else(|refused| panic!("{refused}\n{from:#?}\n{to:#?}"))
}

#[test]
fn whatever_an_author_changes_by_name_has_a_plan_and_a_way_back() {
    seeds(|random| {
        let mut author = Author::new(random);
        let old = author.first();
        let new = author.next(&old);
        by_name(&old, &new);
        by_name(&new, &old);
    });
}

#[test]
fn strangers_are_refused_at_a_path_that_exists_and_nothing_panics() {
    let mut refusals = 0;
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let mut one = Author::new(&mut random).first();
        let other = Author::new(&mut random).first();
        // The same root's name, so that the walk goes on below it.
        one.schema.types[one.schema.root as usize].name =
            other.schema.types[other.schema.root as usize].name.clone();
        for (from, to) in [(&one, &other), (&other, &one)] {
            let compared = Comparison::of(from.side(), to.side());
            if let Err(refused) = compared.plan {
                let there =
                    exists(&from.schema, &refused.path) || exists(&to.schema, &refused.path);
                assert!(there, "SEED={seed}: {refused}");
                refusals += 1;
            }
            for row in &compared.rows {
                let there = exists(&from.schema, &row.path) || exists(&to.schema, &row.path);
                assert!(there, "SEED={seed}: {}", row.path);
            }
        }
    }
    assert!(refusals > SEEDS / 10, "strangers meet: {refusals}");
}

#[test]
fn every_byte_of_a_new_value_is_written_once() {
    seeds(|random| {
        let mut author = Author::new(random);
        let old = author.first();
        let new = author.next(&old);
        for (from, to) in [(&old, &new), (&new, &old)] {
            let plan = by_name(from, to);
            for pair in &plan.pairs {
                let Some((old_fields, new_fields)) = groups(from, to, pair.old, pair.new) else {
                    continue;
                };
                let all: Vec<&Fields> = match &pair.how {
                    How::Struct(fields) => vec![fields],
                    How::Enum(arms) => {
                        arms.iter().filter_map(|arm| Some(&arm.new.as_ref()?.fields)).collect()
                    }
                    _ => continue,
                };
                for fields in all {
                    let to_leaves = spans_of_moves(&plan, to, fields);
                    assert!(disjoint(&to_leaves), "{fields:?}");
                    assert!(covers(&new_fields, &to_leaves), "{fields:?}\n{new_fields:?}");
                    let from_leaves = spans_left(&plan, from, fields);
                    assert!(disjoint(&from_leaves), "{fields:?}");
                    assert!(covers(&old_fields, &from_leaves), "{fields:?}\n{old_fields:?}");
                }
            }
        }
    });
}

#[test]
fn the_way_back_moves_what_the_way_here_moved() {
    seeds(|random| {
        let mut author = Author::new(random);
        let old = author.first();
        let new = author.next(&old);
        let (up, back) = (by_name(&old, &new), by_name(&new, &old));
        for pair in &up.pairs {
            let twin = back.pairs.iter().find(|twin| (twin.old, twin.new) == (pair.new, pair.old));
            let (How::Struct(here), Some(How::Struct(there))) = (&pair.how, twin.map(|t| &t.how))
            else {
                continue;
            };
            let set = |list: &mut dyn Iterator<Item = (u32, u32)>| list.collect::<BTreeSet<_>>();
            assert_eq!(
                set(&mut here.moves.iter().map(|m| (m.from, m.to))),
                set(&mut there.moves.iter().map(|m| (m.to, m.from)))
            );
            let fills: BTreeSet<_> = here.fills.iter().map(|fill| fill.to).collect();
            assert_eq!(fills, there.removed.iter().map(|removed| removed.from).collect());
        }
        // There and back again: what is left in the value is what it was.
        let lost = author.lost;
        let value = value::random(&old.schema, old.schema.root, random, 4);
        let there = Convert { plan: &up, old: &old.schema, new: &new.schema };
        let again = Convert { plan: &back, old: &new.schema, new: &old.schema };
        if let Some(new_value) = there.value(up.root, &value) {
            let returned = again.value(back.root, &new_value).expect("what fitted came from here");
            assert!(agree(&value, &returned), "{value:?}\n{new_value:?}\n{returned:?}");
        } else {
            assert!(lost, "only a variant that is gone does not fit: {value:?}");
        }
    });
}

#[test]
fn two_plans_in_a_row_are_the_plan_from_first_to_last() {
    let compared = std::cell::Cell::new(0);
    seeds(|random| {
        let mut author = Author::new(random);
        let a = author.first();
        let b = author.next(&a);
        let c = author.next(&b);
        let (ab, bc, ac) = (by_name(&a, &b), by_name(&b, &c), by_name(&a, &c));
        let value = value::random(&a.schema, a.schema.root, random, 4);
        let first = Convert { plan: &ab, old: &a.schema, new: &b.schema };
        let second = Convert { plan: &bc, old: &b.schema, new: &c.schema };
        let direct = Convert { plan: &ac, old: &a.schema, new: &c.schema };
        let composed = first.value(ab.root, &value).and_then(|v| second.value(bc.root, &v));
        // What does not fit on the way is set aside there, and so never gets to the end.
        if let Some(composed) = composed {
            let direct = direct.value(ac.root, &value).expect("it fits step by step");
            let versions = [&a.defs, &b.defs, &c.defs];
            assert_eq!(normal(composed), normal(direct), "{value:?}\n{versions:#?}");
            compared.set(compared.get() + 1);
        }
    });
    assert!(compared.get() > 0, "some values get to the end");
}

/// Whether a value that went there and back is what it was, but for what the other version could
/// not hold: defaults.
fn agree(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (_, Value::Default) => true,
        (Value::Some(a), Value::Some(b)) | (Value::Boxed(a), Value::Boxed(b)) => agree(a, b),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| agree(a, b)))
        }
        (Value::Struct(a), Value::Struct(b)) => a.iter().all(|(name, a)| agree(a, &b[name])),
        (Value::Variant(x, a), Value::Variant(y, b)) => {
            x == y && a.iter().all(|(name, a)| agree(a, &b[name]))
        }
        (a, b) => a == b,
    }
}

type Span = (u32, u32);

fn groups(
    from: &Version,
    to: &Version,
    old: TypeIndex,
    new: TypeIndex,
) -> Option<(Vec<Span>, Vec<Span>)> {
    let fields = |version: &Version, ty: TypeIndex| {
        let def = &version.schema.types[ty as usize];
        (def.kind == Kind::Struct).then(|| leaves(&version.schema, &def.fields, 0))
    };
    Some((fields(from, old)?, fields(to, new)?))
}

/// Bytes of every field, structs inside taken apart.
fn leaves(schema: &Schema, fields: &[Field], at: u32) -> Vec<Span> {
    let each = fields.iter().flat_map(|field| {
        let def = &schema.types[field.ty as usize];
        match def.kind {
            Kind::Struct => leaves(schema, &def.fields, at + field.offset),
            _ => vec![(at + field.offset, def.size)],
        }
    });
    each.collect()
}

fn span(version: &Version, ty: TypeIndex, at: u32) -> Vec<Span> {
    let field = Field { name: String::new(), offset: at, ty };
    leaves(&version.schema, &[field], 0)
}

fn spans_of_moves(plan: &Plan, to: &Version, fields: &Fields) -> Vec<Span> {
    let moves = fields.moves.iter().flat_map(|m| span(to, plan.pair(m.pair).new, m.to));
    let fills = fields.fills.iter().flat_map(|fill| span(to, fill.new, fill.to));
    moves.chain(fills).collect()
}

fn spans_left(plan: &Plan, from: &Version, fields: &Fields) -> Vec<Span> {
    let moves = fields.moves.iter().flat_map(|m| span(from, plan.pair(m.pair).old, m.from));
    let removed = fields.removed.iter().flat_map(|r| span(from, r.old, r.from));
    moves.chain(removed).collect()
}

fn disjoint(spans: &[Span]) -> bool {
    let mut sorted: Vec<Span> = spans.iter().copied().filter(|(_, size)| *size > 0).collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0)
}

fn covers(fields: &[Span], written: &[Span]) -> bool {
    let set = |spans: &[Span]| {
        spans.iter().copied().filter(|(_, size)| *size > 0).collect::<BTreeSet<_>>()
    };
    set(fields) == set(written)
}

/// Whether a path leads somewhere in a schema.
fn exists(schema: &Schema, path: &str) -> bool {
    let at = |root: &str, ty| path.strip_prefix(root).is_some_and(|rest| leads(schema, ty, rest));
    at("state", schema.root) || at("session", schema.session)
}

fn leads(schema: &Schema, ty: TypeIndex, path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    let def = &schema.types[ty as usize];
    if matches!(def.kind, Kind::Option | Kind::Box) {
        return leads(schema, def.args[0], path);
    }
    if let Some(rest) = path.strip_prefix("[]") {
        return def.args.last().is_some_and(|&inner| leads(schema, inner, rest));
    }
    if let Some(rest) = path.strip_prefix("<key>") {
        return def.args.first().is_some_and(|&key| leads(schema, key, rest));
    }
    if let Some(rest) = path.strip_prefix("::") {
        return def.variants.iter().any(|variant| {
            let rest = rest.strip_prefix(&variant.name);
            rest.is_some_and(|rest| rest.is_empty() || field_leads(schema, &variant.fields, rest))
        });
    }
    field_leads(schema, &def.fields, path)
}

fn field_leads(schema: &Schema, fields: &[Field], path: &str) -> bool {
    let Some(path) = path.strip_prefix('.') else { return false };
    fields.iter().any(|field| {
        path.strip_prefix(&field.name).is_some_and(|rest| leads(schema, field.ty, rest))
    })
}
