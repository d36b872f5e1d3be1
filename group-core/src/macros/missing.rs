//! What is emitted for a feature that is off: one compile error that names it.

#[cfg(not(feature = "grpc"))]
pub mod grpc {
    //! What is left of it, so that [`__grpc`](crate::__grpc) alone says that there is none.

    use std::sync::Arc;

    use crate::__private::result::Result;

    use crate::service::context::Context;

    /// Returns the routes.
    ///
    /// # Errors
    ///
    /// Never.
    pub fn beside<S, R>(_: &Context, _: &Arc<S>, routes: R) -> Result<R> {
        Ok(routes)
    }
}

/// Code for HTTP, where it can be had.
#[cfg(feature = "http")]
#[doc(hidden)]
#[macro_export]
macro_rules! __http {
    ($($code:tt)*) => { $($code)* };
}

/// Says that it cannot be had.
#[cfg(not(feature = "http"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __http {
    ($($code:tt)*) => {{
        ::core::compile_error! {
            "`http` needs the feature `http` of `service-group`: add `features = [\"http\"]` to it"
        }
        $crate::__private::ready($crate::__private::Result::Ok(()))
    }};
}

/// Code for gRPC, where it can be had.
#[cfg(feature = "grpc")]
#[doc(hidden)]
#[macro_export]
macro_rules! __grpc {
    ($($code:tt)*) => { $($code)* };
}

/// Says that it cannot be had.
#[cfg(not(feature = "grpc"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __grpc {
    ($($code:tt)*) => {
        ::core::compile_error! {
            "`grpc` needs the feature `grpc` of `service-group`: add `features = [\"grpc\"]` to it"
        }
    };
}

/// Adds a time to what a service says of itself.
#[cfg(feature = "cron")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cron {
    ($spec:expr) => {
        $spec
    };
}

/// Says that it cannot be had.
#[cfg(not(feature = "cron"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __cron {
    ($spec:expr) => {
        ::core::compile_error! {
            "`#[cron]` needs the feature `cron` of `service-group`: add `features = [\"cron\"]` to it"
        }
    };
}
