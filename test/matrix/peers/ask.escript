#!/usr/bin/env escript
%% Erlang's httpc. Argument: the URL.
main([Url]) ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, _} = application:ensure_all_started(inets),
    Tls = [{verify, verify_peer}, {cacertfile, "/etc/ssl/certs/ca-certificates.crt"}, {versions, ['tlsv1.3', 'tlsv1.2']},
           {customize_hostname_check, [{match_fun, public_key:pkix_verify_hostname_match_fun(https)}]}],
    [ask(Url, Tls) || _ <- [1, 2]].

ask(Url, Tls) ->
    case httpc:request(get, {Url, [{"connection", "close"}]}, [{ssl, Tls}, {timeout, 10000}], []) of
        {ok, {_, _, Body}} -> io:format("~s~n", [Body]);
        {error, Reason} -> io:format("~p~n", [Reason])
    end.
