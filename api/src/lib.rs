//! The HTTP API.

pub mod admin;
pub mod app;
pub mod browser_config;
pub mod commands;
pub mod config;
pub mod document;
pub mod files_config;
pub mod http;
pub mod metrics;
pub mod pages;
pub mod rejections;
pub mod reload;
pub mod routes;
pub mod server;
pub mod service;
pub mod startup;
pub mod state;
