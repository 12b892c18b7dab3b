#!/bin/sh
exec cargo xtask sim replay target/sim/panic-in-a-dialler-41/scenario.toml
