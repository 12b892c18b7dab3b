//! The client's driver against a server that does exactly what a test says.

mod a_cancelled_connect_leaves_nothing;
mod a_client_joins_and_talks;
mod a_closed_client_is_gone_at_once;
mod a_lost_connection_is_recovered;
mod a_lot_of_bytes_is_acknowledged_at_once;
mod a_panic_is_an_end_with_a_reason;
mod a_refused_token_is_replaced;
mod a_silent_peer_is_given_up;
mod a_slow_application_loses_nothing;
mod a_wrong_configuration_is_refused;
mod many_clients_recover_together;
mod peer;
mod retries_do_not_come_in_bursts;
mod support;
#[cfg(feature = "tls")]
mod wss_is_checked;
