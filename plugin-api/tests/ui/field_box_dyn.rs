use hotshell_plugin_api::state;

trait Greet {}

#[state]
struct Guestbook {
    visits: u64,
    greeter: Box<dyn Greet>,
}

fn main() {}
