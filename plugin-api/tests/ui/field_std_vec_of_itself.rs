use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    replies: Vec<Guestbook>,
}

fn main() {}
