"""Roles that live in another process, in any language: the step protocol, version 1 (docs/any-language.md)."""
