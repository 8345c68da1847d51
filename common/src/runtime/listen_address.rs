//! An address that a program listens on beside its own work: for metrics, or for operators.

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;

use tokio::net::TcpListener;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ListenAddress {
    Off,
    /// Port 0 takes any that is free.
    At(SocketAddr),
}

impl FromStr for ListenAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| "has to be like 127.0.0.1:9464, or off"),
        }
    }
}

/// What the log says of a listener.
#[derive(Clone, Copy, Debug)]
pub struct ListenerNames {
    pub setting: &'static str,
    /// The event that it listens.
    pub listens: &'static str,
    /// The event that it does not.
    pub fails: &'static str,
}

/// The listener of the metrics.
pub const METRICS: ListenerNames = ListenerNames {
    setting: "METRICS_ADDR",
    listens: "metrics_listening",
    fails: "metrics_not_listening",
};

impl ListenAddress {
    /// Listens there. An address that is taken is a warning: the program is of use without it.
    pub async fn listen(self, names: ListenerNames) -> Option<TcpListener> {
        let Self::At(address) = self else { return None };
        match bind(address).await {
            Ok((listener, address)) => {
                tracing::info!(event = names.listens, %address);
                Some(listener)
            }
            Err(error) => {
                tracing::warn!(event = names.fails, setting = names.setting, %address, %error);
                None
            }
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_or_off() {
        assert_eq!("off".parse(), Ok(ListenAddress::Off));
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        assert_eq!("127.0.0.1:0".parse(), Ok(ListenAddress::At(address)));
        for wrong in ["", "no", "9464", "127.0.0.1", ":9464", "localhost:9464"] {
            assert!(wrong.parse::<ListenAddress>().is_err(), "{wrong}");
        }
    }
}
