//! Services that start after one another, whatever is between them.

use std::marker::PhantomData;

use group::service;

#[derive(Default)]
struct Chicken;

#[service(after(Egg))]
impl Chicken {
    async fn start(&self) {}
}

#[derive(Default)]
struct Egg;

#[service(name = "egg", register = false, after(Valid, optional(Chicken)))]
impl Egg {
    async fn start(&self) {}
}

#[derive(Default)]
struct Valid;

#[service]
impl Valid {
    async fn start(&self) {}
}

#[derive(Default)]
struct Cache<T>(PhantomData<T>);

#[service(register = false, after(Valid, Database))]
impl<T: Send + Sync + 'static> Cache<T> {
    async fn start(&self) {}
}

#[derive(Default)]
struct Database;

#[service(after(Cache<u8>))]
impl Database {
    async fn start(&self) {}
}

fn main() {
    group::Group::new().add_type::<Chicken>().add_type::<Egg>().add_type::<Valid>().add_type::<Database>();
}
