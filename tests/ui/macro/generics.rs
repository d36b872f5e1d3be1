//! Services that the registry cannot hold.

use group::service;
use std::marker::PhantomData;

struct Cache<T>(PhantomData<T>);

#[service]
impl<T: Send + Sync + 'static> Cache<T> {
    async fn start(&self) {}
}

struct Shards<const N: usize>;

#[service(register = true)]
impl<const N: usize> Shards<N> {
    async fn start(&self) {}
}

struct Borrower<'a>(&'a str);

#[service]
impl<'a> Borrower<'a> {
    async fn start(&self) {}
}

struct Lender<'a, T>(&'a T);

#[service(register = false)]
impl<'a, T: Send + Sync + 'static> Lender<'a, T> {
    async fn start(&self) {}
}

struct Anonymous<'a>(&'a str);

#[service]
impl Anonymous<'_> {
    async fn start(&self) {}
}

struct Nested<T>(T);

#[service]
impl Nested<Option<(Anonymous<'_>, &'static str)>> {
    async fn start(&self) {}
}

fn uses() {
    group::Group::new().add_type::<Cache<u8>>().add_type::<Shards<3>>();
    let _ = (Borrower("").0, Lender(&3).0, Anonymous("").0, Nested(3).0);
}

fn main() {}
