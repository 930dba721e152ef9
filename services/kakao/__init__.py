"""A local stand-in for KakaoTalk: takes AlimTalk messages over HTTP as a dealer does, and shows them as on a phone."""
