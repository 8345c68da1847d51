//! What stands between programs: load balancer, a connection that fails, certificates.

pub(crate) mod load_balancer;
pub(crate) mod tcp_proxy;
pub(crate) mod tls;
