// libcurl as Swift can call it: without variadic arguments.
#ifndef SLUICE_CCURL_H
#define SLUICE_CCURL_H

#include <curl/curl.h>

/// Sets an option that is a number or a truth value.
static inline CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value)
{
    return curl_easy_setopt(handle, option, value);
}

/// Sets an option that is text or a pointer.
static inline CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, const void *value)
{
    return curl_easy_setopt(handle, option, value);
}

/// Sets an option that is a large number.
static inline CURLcode ccurl_set_offset(CURL *handle, CURLoption option, curl_off_t value)
{
    return curl_easy_setopt(handle, option, value);
}

/// Sets what is called with the body of the answer.
static inline CURLcode ccurl_set_write(
    CURL *handle, size_t (*write)(char *, size_t, size_t, void *), void *context)
{
    CURLcode code = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, write);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}

/// Sets what is called with each header of the answer.
static inline CURLcode ccurl_set_header(
    CURL *handle, size_t (*header)(char *, size_t, size_t, void *), void *context)
{
    CURLcode code = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, header);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
}

/// The status of the answer, such as 204; 0 where there was none.
static inline long ccurl_response_code(CURL *handle)
{
    long status = 0;
    return curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}

/// The seconds that the answer asks to wait (Retry-After, a number or a date); 0 where it does not.
static inline long long ccurl_retry_after(CURL *handle)
{
    curl_off_t seconds = 0;
    return curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK ? seconds : 0;
}
#endif
