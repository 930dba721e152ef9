"""The stand-in for KakaoTalk as a child process."""

