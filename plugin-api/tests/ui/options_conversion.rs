use hotshell_plugin_api::state;

#[state(schema = 1)]
struct Old {
    seconds: u64,
}

#[state(from = Old)]
struct WithoutFunction;

#[state(with = up)]
struct WithoutFrom;

#[state(from = Old, with = of_nothing)]
struct WrongFunction {
    millis: u64,
}

fn of_nothing() -> WrongFunction {
    WrongFunction { millis: 0 }
}

#[state(from = Old, with = by_value, back = fallible)]
struct NotByReference {
    millis: u64,
}

fn by_value(old: Old) -> NotByReference {
    NotByReference { millis: old.seconds * 1000 }
}

fn fallible(new: &NotByReference) -> Option<Old> {
    Some(Old { seconds: new.millis / 1000 })
}

fn main() {}
