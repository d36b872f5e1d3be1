//! What methods cannot return.

use group::service;

#[derive(Debug)]
struct NotAnError;

#[derive(Default)]
struct Start;

#[service]
impl Start {
    async fn start(&self) -> bool {
        true
    }

    async fn stop(&self) -> Result<u16, std::io::Error> {
        Ok(3)
    }
}

#[derive(Default)]
struct Blocking;

#[service]
impl Blocking {
    fn start(&self) -> Option<()> {
        Some(())
    }

    fn stop(&self) -> Result<(), NotAnError> {
        Err(NotAnError)
    }
}

#[derive(Default)]
struct Beside;

#[service(http = "127.0.0.1:0")]
impl Beside {
    #[get("/")]
    async fn index(&self) {}

    async fn start(&self) -> u8 {
        3
    }
}

#[derive(Default)]
struct BoxedError;

#[service]
impl BoxedError {
    async fn start(&self) -> Result<(), Box<dyn std::error::Error>> {
        Ok(())
    }
}

struct NewNumber;

#[service]
impl NewNumber {
    fn new() -> u8 {
        3
    }

    async fn start(&self) {}
}

struct NewMaybe;

#[service]
impl NewMaybe {
    async fn new() -> Option<Self> {
        None
    }

    async fn start(&self) {}
}

struct NewNotAnError;

#[service]
impl NewNotAnError {
    fn new() -> Result<Self, NotAnError> {
        Err(NotAnError)
    }

    async fn start(&self) {}
}

struct NewOther;

#[service]
impl NewOther {
    fn new() -> Start {
        Start
    }

    async fn start(&self) {}
}

struct NoDefault(u8);

#[service]
impl NoDefault {
    async fn start(&self) {}
}

fn uses() {
    group::Group::new()
        .add_type::<Start>()
        .add_type::<Blocking>()
        .add_type::<Beside>()
        .add_type::<NewNumber>()
        .add_type::<NewMaybe>()
        .add_type::<NewNotAnError>()
        .add_type::<NewOther>()
        .add_type::<NoDefault>();
    let _ = NoDefault(3).0;
}

fn main() {}
