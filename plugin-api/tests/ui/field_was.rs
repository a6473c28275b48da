use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    #[state(was = "hits")]
    tries: u64,
}

fn main() {}
