"""Notices: what parties are told by KakaoTalk, once each, and what became of it."""
