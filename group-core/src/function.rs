//! A function as a service.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use crate::lock::lock;
use crate::outcome::Outcome;
use crate::{BoxError, Context, FromContext, Service, Spec};

/// An async function that can be a service: each of its parameters is taken from the [`Context`],
/// up to four, and it returns `()` or a `Result<(), E>`. See [`Group::add_fn`](crate::Group::add_fn).
pub trait ServiceFn<Args>: Send + 'static {
    /// Says what its parameters need.
    fn needs(spec: Spec) -> Spec;

    /// Calls it.
    ///
    /// # Errors
    ///
    /// When a parameter cannot be had, or the function fails.
    fn call(self, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send;
}

macro_rules! service_fn {
    ($($arg:ident)*) => {
        impl<F, Fut, $($arg,)*> ServiceFn<($($arg,)*)> for F
        where
            F: FnOnce($($arg),*) -> Fut + Send + 'static,
            Fut: Future<Output: Outcome> + Send,
            $($arg: FromContext + Send,)*
        {
            fn needs(spec: Spec) -> Spec {
                spec $(.starts_with::<$arg>())*
            }

            #[allow(unused_variables, reason = "a function without parameters takes nothing")]
            async fn call(self, cx: Context) -> Result<(), BoxError> {
                self($($arg::from_context(&cx)?),*).await.into_result()
            }
        }
    };
}

service_fn!();
service_fn!(A);
service_fn!(A B);
service_fn!(A B C);
service_fn!(A B C D);

/// The service that a function becomes.
pub(crate) struct Function<F, Args> {
    function: Mutex<Option<F>>,
    args: PhantomData<fn(Args)>,
}

impl<F: ServiceFn<Args>, Args> Function<F, Args> {
    pub(crate) fn new(function: F) -> Self {
        Self { function: Mutex::new(Some(function)), args: PhantomData }
    }
}

impl<F: ServiceFn<Args>, Args: 'static> Service for Function<F, Args> {
    async fn start(self: Arc<Self>, cx: Context) -> Result<(), BoxError> {
        let function = lock(&self.function).take();
        match function {
            Some(function) => function.call(cx).await,
            None => Err("a function can be started only once".into()),
        }
    }
}
