//! Listening and dialling, plain and with TLS.

use serde::Deserialize;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::fail::Fail;
use crate::transport::Socket;

/// PEM texts: what a client trusts, or what a server shows.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Tls {
    Server { cert: String, key: String },
    Client { ca: String },
}

pub async fn dial(host: &str, port: u16, tls: Option<&Tls>) -> Result<Socket, Fail> {
    let connector = match tls {
        Some(Tls::Client { ca }) => Some(connector(ca)?),
        Some(Tls::Server { .. }) => return Err(Fail::new("a client wants tls.ca")),
        None => None,
    };
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    let Some(connector) = connector else {
        return Ok(Socket::Plain(tcp));
    };
    let name = ServerName::try_from("localhost").map_err(fail)?;
    let tls = connector.connect(name, tcp).await?;
    Ok(Socket::Tls(Box::new(TlsStream::Client(tls))))
}

pub struct Server {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
}

impl Server {
    pub async fn listen(host: &str, port: u16, tls: Option<&Tls>) -> Result<Self, Fail> {
        let acceptor = match tls {
            Some(Tls::Server { cert, key }) => Some(acceptor(cert, key)?),
            Some(Tls::Client { .. }) => {
                return Err(Fail::new("a server wants tls.cert and tls.key"));
            }
            None => None,
        };
        let listener = TcpListener::bind((host, port)).await?;
        Ok(Server { listener, acceptor })
    }

    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    pub async fn accept(&self) -> Result<Socket, Fail> {
        let (tcp, _) = self.listener.accept().await?;
        tcp.set_nodelay(true)?;
        let Some(acceptor) = &self.acceptor else {
            return Ok(Socket::Plain(tcp));
        };
        let tls = acceptor.accept(tcp).await?;
        Ok(Socket::Tls(Box::new(TlsStream::Server(tls))))
    }
}

fn connector(ca: &str) -> Result<TlsConnector, Fail> {
    let mut roots = RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        roots.add(cert.map_err(fail)?).map_err(fail)?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

fn acceptor(cert: &str, key: &str) -> Result<TlsAcceptor, Fail> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(fail)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certs.map_err(fail)?, key)
        .map_err(fail)?;
    Ok(Arc::new(config).into())
}

fn fail(error: impl std::fmt::Display) -> Fail {
    Fail::new(error.to_string())
}
