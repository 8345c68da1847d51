//! The settings of the admin API.

use std::net::IpAddr;
use std::str::FromStr;

use clap::Args;
use common::config::{SettingError, is_loopback};
use common::runtime::listen_address::ListenAddress;
use poem::http::uri::Authority;

/// Where operators reach the admin API.
#[derive(Args, Clone, Debug)]
pub struct AdminConfig {
    /// Address and port of the admin API, or `off`; port `0` takes any that is free and logs it. It
    /// is for operators alone: keep it where no user reaches it
    #[arg(long, env, default_value = "127.0.0.1:4001")]
    pub admin_addr: ListenAddress,
    /// Names under which the admin API is reached besides this machine's own and the address itself,
    /// comma-separated, like `admin.internal`
    #[arg(long, env)]
    admin_hosts: Option<HostNames>,
}

impl AdminConfig {
    /// Which hosts the admin API answers for.
    ///
    /// # Errors
    /// It listens everywhere, and nobody says under which names.
    pub fn hosts(&self) -> Result<AdminHosts, SettingError> {
        let names = self.admin_hosts.clone().unwrap_or_default().0;
        let address = match self.admin_addr {
            ListenAddress::At(address) => Some(address.ip()),
            ListenAddress::Off => None,
        };
        if names.is_empty() && address.is_some_and(|address| address.is_unspecified()) {
            return Err(SettingError::new(
                "ADMIN_ADDR",
                "is every address of this machine: set ADMIN_HOSTS to the names under which it is reached",
            ));
        }
        Ok(AdminHosts { names, address })
    }

    /// Whether others than this machine may reach it.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        matches!(self.admin_addr, ListenAddress::At(address) if !address.ip().to_canonical().is_loopback())
    }
}

/// Names without ports.
#[derive(Clone, Debug, Default)]
struct HostNames(Vec<String>);

impl FromStr for HostNames {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let names = list.split(',').map(|name| {
            let name = name.trim();
            let authority: Authority = name.parse().ok()?;
            (authority.host() == name).then(|| name.to_ascii_lowercase())
        });
        let names = names.collect::<Option<_>>();
        names.map(Self).ok_or("has to be a list of names without ports, like admin.internal")
    }
}

/// The hosts that a request may name. A page of a stranger's website reaches what listens here under
/// a name of its own whose address it changes (DNS rebinding); its browser sends that name.
#[derive(Clone, Debug, Default)]
pub struct AdminHosts {
    names: Vec<String>,
    /// Where it listens.
    address: Option<IpAddr>,
}

impl AdminHosts {
    pub(super) fn allow(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_own = |address: IpAddr| Some(address) == self.address && !address.is_unspecified();
        is_loopback(host)
            || bare.parse().is_ok_and(is_own)
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(address: &str, hosts: Option<&str>) -> AdminConfig {
        let admin_hosts = hosts.map(|hosts| hosts.parse().unwrap());
        AdminConfig { admin_addr: address.parse().unwrap(), admin_hosts }
    }

    #[test]
    fn a_host_is_this_machine_the_address_or_a_name_that_is_set() {
        let hosts = config("10.0.0.7:4001", Some("admin.internal, [fd00::7]")).hosts().unwrap();
        for host in ["localhost", "127.0.0.1", "[::1]", "10.0.0.7", "Admin.Internal", "[fd00::7]"] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in ["", "10.0.0.8", "admin.internal.evil.example", "evil.example", "0.0.0.0"] {
            assert!(!hosts.allow(host), "{host}");
        }
    }

    #[test]
    fn whoever_listens_everywhere_says_under_which_names() {
        for address in ["0.0.0.0:4001", "[::]:0"] {
            assert!(config(address, None).hosts().is_err(), "{address}");
            let hosts = config(address, Some("admin.internal")).hosts().unwrap();
            assert!(hosts.allow("admin.internal") && !hosts.allow("0.0.0.0"));
            assert!(config(address, None).is_exposed());
        }
        assert!(config("off", None).hosts().is_ok() && !config("off", None).is_exposed());
        assert!(!config("127.0.0.1:4001", None).is_exposed());
    }

    #[test]
    fn a_name_has_neither_port_nor_scheme() {
        for list in
            ["", "a.example,", "a.example:4001", "https://a.example", "a b", "user@a.example"]
        {
            assert!(list.parse::<HostNames>().is_err(), "{list}");
        }
    }
}
