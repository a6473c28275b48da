//! A plan in words, one line per pair of the root's that is not left as it is.

use std::collections::HashSet;

use hotshell_plugin_api::migrate::plan::{Fields, How, PairIndex, Plan};
use hotshell_plugin_api::schema::Schema;

pub fn tell(old: &Schema, new: &Schema, plan: &Plan) -> String {
    let mut lines = vec![format!("{:?}", plan.kind)];
    pair(old, new, plan, plan.root, &mut HashSet::new(), &mut lines);
    lines.join("\n")
}

fn pair(
    old: &Schema,
    new: &Schema,
    plan: &Plan,
    index: PairIndex,
    told: &mut HashSet<PairIndex>,
    lines: &mut Vec<String>,
) {
    let pair = plan.pair(index);
    if pair.how == How::Same || !told.insert(index) {
        return;
    }
    let mut below = Vec::new();
    let how = match &pair.how {
        How::Struct(fields) => say_fields(fields, &mut below),
        How::Enum(arms) => {
            let arm = |arm: &hotshell_plugin_api::migrate::plan::Arm| match &arm.new {
                Some(to) => {
                    format!("{} to {}{}", arm.old, to.tag, say_fields(&to.fields, &mut below))
                }
                None => format!("{} lost", arm.old),
            };
            arms.iter().map(arm).collect::<Vec<_>>().join(", ")
        }
        How::Number { from, to } => format!("{from:?} to {to:?}"),
        How::Function { image, index } => format!("function {index} of the {image:?} image"),
        How::IntoOption(inner) => above("IntoOption", *inner, &mut below),
        How::OutOfOption(inner) => above("OutOfOption", *inner, &mut below),
        How::IntoBox(inner) => above("IntoBox", *inner, &mut below),
        How::OutOfBox(inner) => above("OutOfBox", *inner, &mut below),
        How::Option(inner) => above("Option", *inner, &mut below),
        How::Box(inner) => above("Box", *inner, &mut below),
        How::Array { element, .. } => above("Array", *element, &mut below),
        How::Vec(inner) => above("Vec", *inner, &mut below),
        How::VecDeque(inner) => above("VecDeque", *inner, &mut below),
        How::HashMap(inner) => above("HashMap", *inner, &mut below),
        How::BTreeMap(inner) => above("BTreeMap", *inner, &mut below),
        How::Same => unreachable!("left above"),
    };
    let marks = if pair.fits { "" } else { ", if it fits" };
    let (from, to) = (old.type_name(pair.old), new.type_name(pair.new));
    lines.push(format!("{from} -> {to}: {how}{marks}"));
    for index in below {
        self::pair(old, new, plan, index, told, lines);
    }
}

fn above(word: &str, inner: PairIndex, below: &mut Vec<PairIndex>) -> String {
    below.push(inner);
    word.to_owned()
}

fn say_fields(fields: &Fields, below: &mut Vec<PairIndex>) -> String {
    let mut words = Vec::new();
    for step in &fields.moves {
        words.push(match step.old_name == step.new_name {
            true => step.new_name.clone(),
            false => format!("{} to {}", step.old_name, step.new_name),
        });
        below.push(step.pair);
    }
    words.extend(fields.fills.iter().map(|fill| format!("+{}", fill.name)));
    words.extend(fields.removed.iter().map(|removed| format!("-{}", removed.name)));
    format!("{{{}}}", words.join(" "))
}
