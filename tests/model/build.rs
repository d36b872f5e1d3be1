//! The lifecycle has its model check only here.

fn main() {
    println!("cargo::rustc-cfg=lifecycle_model");
}
