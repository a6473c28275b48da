// What all versions of the roster do; each includes it beside its own types, which have the methods
// that it calls. Protocol: lines.
//
// | line | answer |
// |---|---|
// | `me` | `<client> <requests of it> <its note>` |
// | `note TEXT` | `noted`; version 1 keeps none |
// | `peek CLIENT` | `<requests> <note>` of another client, or `nobody` |
// | `put KEY AGE`, `get KEY` | `ok`; the age in the hash map, or `none` |
// | `rank KEY AGE`, `ranked KEY` | the same in the tree |
// | `fill N` | `ok`; N entries in each, the age of key K is K + 100 |
// | `sums` | `<entries of the map> <sum of ages> <entries of the tree> <sum of ages>` |
// | `burn` | uses 20 ms of CPU time, then `burnt` |
// | `panic` | panics; the client is told `panicked` |

use std::io::Write;

/// The plugin.
#[derive(Debug)]
pub struct App;

impl Plugin for App {
    type State = Roster;
    type Session = Session;

    fn init(_: &mut InitCtx<'_>) -> Result<Roster, Refusal> {
        Ok(Roster::default())
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let text = std::string::String::from_utf8_lossy(line.text).into_owned();
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let answer = answer(ctx, verb, rest);
        let _ = writeln!(ctx.out, "{answer}");
        Flow::Done(line.consumed)
    }

    fn self_test(ctx: &mut ServerCtx<'_, Self>) -> Result<(), Refusal> {
        ctx.state.sound()
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, _: &str) -> Flow {
        let _ = writeln!(ctx.out, "panicked");
        Flow::Done(0)
    }
}

fn answer(ctx: &mut Ctx<'_, App>, verb: &str, rest: &str) -> std::string::String {
    ctx.session.count();
    let (key, age) = rest.split_once(' ').unwrap_or((rest, ""));
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let (key, age) = (number(key), number(age));
    let told = |person: std::option::Option<&Person>| {
        person.map_or("none".to_owned(), |person| person.age().to_string())
    };
    match verb {
        "me" => format!("{} {}", ctx.client(), ctx.session.tell()),
        "note" => ctx.session.note(rest),
        "peek" => {
            let seen = ctx.shell.session_of(key).map(|session| session.tell());
            seen.unwrap_or("nobody".to_owned())
        }
        "put" => {
            ctx.state.people.insert(key, Person::of(age));
            "ok".to_owned()
        }
        "get" => told(ctx.state.people.get(&key)),
        "rank" => {
            ctx.state.ranks.insert(key, Person::of(age));
            "ok".to_owned()
        }
        "ranked" => told(ctx.state.ranks.get(&key)),
        "fill" => {
            for key in 0..key {
                ctx.state.people.insert(key, Person::of(key + 100));
                ctx.state.ranks.insert(key, Person::of(key + 100));
            }
            "ok".to_owned()
        }
        "sums" => {
            let (people, ranks) = (&ctx.state.people, &ctx.state.ranks);
            let sum = |ages: &mut dyn Iterator<Item = u64>| ages.sum::<u64>();
            let ages = sum(&mut people.values().map(Person::age));
            let ranked = sum(&mut ranks.values().map(Person::age));
            format!("{} {ages} {} {ranked}", people.len(), ranks.len())
        }
        "burn" => {
            let began = std::time::Instant::now();
            while began.elapsed().as_millis() < 20 {}
            "burnt".to_owned()
        }
        _ => panic!("as was asked for"),
    }
}

export_plugin!(App, name = "roster");
