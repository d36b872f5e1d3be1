//! A function as a service.

use std::future::ready;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::Either;

use crate::base::error::BoxError;
use crate::base::lock;
use crate::service::Service;
use crate::service::context::Context;
use crate::service::from_context::FromContext;
use crate::service::result::ServiceResult;
use crate::spec::Spec;

/// An async function that can be a service. It has up to four parameters, each taken from the [`Context`], and
/// returns `()` or a `Result<(), E>`. See [`Group::add_fn`](crate::Group::add_fn).
#[diagnostic::on_unimplemented(
    message = "this is not a function that can be a service",
    label = "cannot be a service",
    note = "a service's function is `async`, its future is `Send`, and it returns `()` or `Result<(), E>`",
    note = "`E` must convert into `Box<dyn Error + Send + Sync>`, as `anyhow::Error` and every error type do",
    note = "it takes up to four parameters, such as `Shutdown`, `Ready`, `Context`, `Handle`, `Config<T>` and `Arc<T>`",
    note = "the parameters of a closure need their types, as in `|shutdown: Shutdown|`",
    note = "a service of a type of yours is added with `add`"
)]
pub trait ServiceFn<Args>: Send + 'static {
    /// Adds the needs of its parameters to the spec.
    fn needs(spec: Spec) -> Spec;

    /// Takes the parameters from the context, and calls the function.
    ///
    /// # Errors
    ///
    /// If a parameter cannot be taken, or the function fails.
    fn call(self, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send;
}

macro_rules! service_fn {
    ($($arg:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<F, Fut, $($arg,)*> ServiceFn<($($arg,)*)> for F
        where
            F: FnOnce($($arg),*) -> Fut + Send + 'static,
            Fut: Future<Output: ServiceResult> + Send,
            $($arg: FromContext + Send,)*
        {
            fn needs(spec: Spec) -> Spec {
                spec $(.starts_with::<$arg>())*
            }

            #[allow(unused_variables, reason = "a function without parameters takes nothing")]
            fn call(self, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send {
                let called = || Ok(self($($arg::from_context(&cx)?),*));
                in_one_form(called())
            }
        }
    };
}

/// Not an `async fn`: its state would store the future twice.
fn in_one_form<Fut>(called: Result<Fut, BoxError>) -> impl Future<Output = Result<(), BoxError>>
where
    Fut: Future<Output: ServiceResult>,
{
    match called {
        Ok(future) => Either::Left(future.map(ServiceResult::into_result)),
        Err(error) => Either::Right(ready(Err(error))),
    }
}

service_fn!();

service_fn!(A);

service_fn!(A B);

service_fn!(A B C);

service_fn!(A B C D);

/// A function as a service, which runs once.
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
    fn start(self: Arc<Self>, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send {
        let function = lock(&self.function).take();
        match function {
            Some(function) => Either::Left(function.call(cx)),
            None => Either::Right(ready(Err("a function can be started only once".into()))),
        }
    }
}

/// A function as a service, of which each run gets a copy.
pub(crate) struct Repeatable<F, Args> {
    function: Mutex<F>,
    args: PhantomData<fn(Args)>,
}

impl<F: ServiceFn<Args> + Clone, Args> Repeatable<F, Args> {
    pub(crate) fn new(function: F) -> Self {
        Self { function: Mutex::new(function), args: PhantomData }
    }
}

impl<F: ServiceFn<Args> + Clone, Args: 'static> Service for Repeatable<F, Args> {
    fn start(self: Arc<Self>, cx: Context) -> impl Future<Output = Result<(), BoxError>> + Send {
        // Only this takes the lock, and a service starts once at a time: its `clone` cannot come here.
        let function = lock(&self.function).clone();
        function.call(cx)
    }
}
