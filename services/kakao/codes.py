"""The vendor's result codes that are given here, with its own words (NHN Cloud, KakaoTalk Bizmessage, error codes)."""

SUCCESS = 0
INVALID = 4
INVALID_SECRET = -1001
DUPLICATE = -1005
UNREADABLE = -3002
TEMPLATE_PARAMETER = -3004
LINK = -3006
BUTTON_VARIABLE = -3008
SYSTEM = -9999
THROTTLED = 429
INVALID_PHONE = 3008
TOO_LONG = 3014
NO_TEMPLATE = 3015
NO_USER = 3019
DELIVERED = 1000

TEXTS = {
    SUCCESS: "SUCCESS",
    INVALID_SECRET: "Invalid secretKey.",
    DUPLICATE: "The same 'recipientGroupingKey' was used within the last 10 minutes.",
    TEMPLATE_PARAMETER: "Please check template parameter.",
    SYSTEM: "System error.",
    THROTTLED: "Too many requests.",
    INVALID_PHONE: "InvalidPhoneNumberException",
    TOO_LONG: "MessageLengthOverLimitException",
    NO_TEMPLATE: "TemplateNotFoundException",
    NO_USER: "MessageNoUserException",
    DELIVERED: "성공",
}
