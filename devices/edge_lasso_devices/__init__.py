"""Board profiles, links to boards, toolchains and emulators. Knows no models."""
