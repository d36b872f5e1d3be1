//! What stands between the parentheses of `#[service(…)]`.

use group::service;

const NAME: &str = "name";

#[derive(Default)]
struct Unknown;

#[service(nmae = "a", zzz, stop_timout = "3s", r#type = 3)]
impl Unknown {
    async fn start(&self) {}
}

#[derive(Default)]
struct Twice;

#[service(name = "b", name = "c", register = true, register = false)]
impl Twice {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameBare;

#[service(name)]
impl NameBare {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameConstant;

#[service(name = NAME)]
impl NameConstant {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameNumber;

#[service(name = 3)]
impl NameNumber {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameList;

#[service(name("a"))]
impl NameList {
    async fn start(&self) {}
}

#[derive(Default)]
struct BareString;

#[service("morning")]
impl BareString {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameEmpty;

#[service(name = "")]
impl NameEmpty {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameNewline;

#[service(name = "a\nb")]
impl NameNewline {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameSpace;

#[service(name = "a b")]
impl NameSpace {
    async fn start(&self) {}
}

#[derive(Default)]
struct NameSlash;

#[service(name = "a/b")]
impl NameSlash {
    async fn start(&self) {}
}

#[derive(Default)]
struct TimeoutNumber;

#[service(start_timeout = 10, stop_timeout = "10")]
impl TimeoutNumber {
    async fn start(&self) {}
}

#[derive(Default)]
struct TimeoutWords;

#[service(start_timeout = "-1s", stop_timeout = "ten")]
impl TimeoutWords {
    async fn start(&self) {}
}

#[derive(Default)]
struct TimeoutNothing;

#[service(start_timeout, stop_timeout = )]
impl TimeoutNothing {
    async fn start(&self) {}
}

#[derive(Default)]
struct Role;

#[service(role = "sometimes")]
impl Role {
    async fn start(&self) {}
}

#[derive(Default)]
struct AfterString;

#[service(after = "Database")]
impl AfterString {
    async fn start(&self) {}
}

#[derive(Default)]
struct AfterWhat;

#[service(after("Database", optional(), optional(3), Twice Role))]
impl AfterWhat {
    async fn start(&self) {}
}

#[derive(Default)]
struct Crate;

#[service(crate = "group")]
impl Crate {
    async fn start(&self) {}
}

#[derive(Default)]
struct Register;

#[service(register = "no")]
impl Register {
    async fn start(&self) {}
}

#[derive(Default)]
struct HttpPort;

#[service(http = "8080")]
impl HttpPort {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct HttpHost;

#[service(http = "localhost")]
impl HttpHost {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct HttpMisspelt;

#[service(htpp = "localhost:0")]
impl HttpMisspelt {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Punctuation;

#[service(,, name - "a", 3 = 4, name == "b", after[Twice], role "task")]
impl Punctuation {
    async fn start(&self) {}
}

fn uses() {
    group::Group::new()
        .add_type::<Unknown>()
        .add_type::<Twice>()
        .add_type::<NameBare>()
        .add_type::<NameConstant>()
        .add_type::<NameNumber>()
        .add_type::<NameList>()
        .add_type::<BareString>()
        .add_type::<NameEmpty>()
        .add_type::<NameNewline>()
        .add_type::<NameSpace>()
        .add_type::<NameSlash>()
        .add_type::<TimeoutNumber>()
        .add_type::<TimeoutWords>()
        .add_type::<TimeoutNothing>()
        .add_type::<Role>()
        .add_type::<AfterString>()
        .add_type::<AfterWhat>()
        .add_type::<Crate>()
        .add_type::<Register>()
        .add_type::<HttpPort>()
        .add_type::<HttpHost>()
        .add_type::<HttpMisspelt>()
        .add_type::<Punctuation>()
        .add_type::<Restarts>()
        .add_type::<Waits>()
        .add_type::<Migration>();
}

#[derive(Default)]
struct Provides;

#[service(provides = "Store")]
impl Provides {
    async fn start(&self) {}
}

#[derive(Default)]
struct ProvidesNothing;

#[service(provides())]
impl ProvidesNothing {
    async fn start(&self) {}
}

#[derive(Default)]
struct Leads;

#[service(http = "localhost:8080", role = "lead")]
impl Leads {
    #[get("/")]
    async fn index(&self) {}
}

fn main() {}

#[derive(Default)]
struct Restarts;

#[service(restart = "sometimes", critical = "no")]
impl Restarts {
    async fn start(&self) {}
    async fn health(&self, _extra: u8) {}
    async fn reload() {}
}

#[derive(Default)]
struct Waits;

#[service(restart(on_failure, max = 0, within = "1", backoff = "30s..100ms", often))]
impl Waits {
    async fn start(&self) {}
}

#[derive(Default)]
struct Migration;

#[service(role = "once", restart = "always")]
impl Migration {
    async fn start(&self) {}
}

#[derive(Default)]
struct AfterItself;

#[service(after(Self, optional(AfterItself)))]
impl AfterItself {
    async fn start(&self) {}
}

#[derive(Default)]
struct AfterTwice;

#[service(after(Waits, Migration, optional(Waits)))]
impl AfterTwice {
    async fn start(&self) {}
}

#[derive(Default)]
struct Url;

#[service(http = "http://localhost:8080")]
impl Url {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Once;

#[service(http = "localhost:8080", role = "once")]
impl Once {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Hyphens;

#[service(restart(on-failure, max = 3), start-timeout = "3s")]
impl Hyphens {
    async fn start(&self) {}
}

#[derive(Default)]
struct Semicolon;

#[service(name = "a"; http = "localhost:8080")]
impl Semicolon {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct NoComma;

#[service(name = "a" http = "localhost:8080", stop_timeout = "3s" start_timeout = "3s")]
impl NoComma {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct OtherWords;

#[service(port = 8080, depends_on(Waits), timeout = "3s")]
impl OtherWords {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct TwoMinds;

#[service(restart(always, never, max = 3, max = 4), role = Role::Once, after[Waits], after(Migration), critical)]
impl TwoMinds {
    async fn start(&self) {}
}

#[derive(Default)]
struct Capital;

#[service(name = "Capital", restart("always"), start_timeout = "1h30", stop_timeout = "2 fortnights")]
impl Capital {
    async fn start(&self) {}
}

#[derive(Default)]
struct Addresses;

#[service(http = 127.0.0.1:8080, grpc = ":50051", prefix = api)]
impl Addresses {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Main;

#[service(http = "localhost:8080", role = "main")]
impl Main {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Task;

#[service(grpc = "localhost:50051", role = "task")]
impl Task {
    fn grpc(&self, services: group::grpc::Routes) -> group::grpc::Routes {
        services
    }
}

#[derive(Default)]
struct Port;

#[service(http = "localhost:99999")]
impl Port {
    #[get("/")]
    async fn index(&self) {}
}

#[derive(Default)]
struct Threads;

#[service(worker_threads = 0, cpus = "3-1", runtime = "mine")]
impl Threads {
    async fn start(&self) {}
}

#[derive(Default)]
struct Shared;

#[service(worker_threads = 2, blocking_drop = "yes")]
impl Shared {
    async fn start(&self) {}
}

#[derive(Default)]
struct Both;

#[service(http = "localhost:8080", runtime = "own", serve = "per-core")]
impl Both {
    #[get("/")]
    async fn index(&self) {}
}
