//! The server over real sockets, with shortened limits.

#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod overload;
#[cfg(test)]
mod panic_guard;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod support;
