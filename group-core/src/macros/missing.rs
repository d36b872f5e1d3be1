//! One compile error for each feature that emitted code needs and that is off.

#[cfg(not(feature = "grpc"))]
pub mod grpc {
    //! A stub, so that [`__grpc`](crate::__grpc) reports the only error.

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

/// Expands to its code, which needs the feature `http`.
#[cfg(feature = "http")]
#[doc(hidden)]
#[macro_export]
macro_rules! __http {
    ($($code:tt)*) => { $($code)* };
}

/// Reports that the feature is off.
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

/// Expands to its code, which needs the feature `grpc`.
#[cfg(feature = "grpc")]
#[doc(hidden)]
#[macro_export]
macro_rules! __grpc {
    ($($code:tt)*) => { $($code)* };
}

/// Reports that the feature is off.
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

/// Expands to its code, which needs the feature `cron`.
#[cfg(feature = "cron")]
#[doc(hidden)]
#[macro_export]
macro_rules! __cron {
    ($spec:expr) => {
        $spec
    };
}

/// Reports that the feature is off.
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
