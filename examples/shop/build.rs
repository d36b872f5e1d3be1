//! Generates the code for `proto/shop.proto`, without `protoc`, so that it need not be installed.

use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["shop.proto"], ["proto"])?;
    // For reflection, with which tools such as `grpcurl` list the services.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("shop.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
