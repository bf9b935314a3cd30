-- SPDX-License-Identifier: Apache-2.0
-- usage: wrk ... -s wrk.lua URL -- HEADER VALUE                the same request again and again
--        wrk ... -s wrk.lua URL -- HEADER VALUE PATHS          PATH of a random line of that file
--        wrk ... -s wrk.lua URL -- logins NAMES PASSWORD       POST of a login of a random line
--        wrk ... -s wrk.lua URL -- each HEADER VALUES          one request for each line of that file as the header's value, then again from the first
--        wrk ... -s wrk.lua URL -- invite KEY PREFIX           POST that invites somebody new each time
--        wrk ... -s wrk.lua URL -- refresh TOKENS              POST of a refresh token of that file, and then of those that come back, as many as connections
-- A HEADER of - is none. Prints one line for BenchLoad.pm at the end.
local made, next_of_all, random, invited, tokens, verified

local function lines(path)
    local list = {}
    for line in io.lines(path) do
        list[#list + 1] = line
    end
    return list
end

-- Made beforehand: the load shares its core with the server.
local function make(many, one)
    made = {}
    for i = 1, many do
        made[i] = one(i)
    end
end

-- A token is good once. wrk does not tell which connection asks; each answer gives back one for the next request.
function refresh(list)
    tokens = list
    request = function()
        -- wrk asks for one before it begins, and throws it away.
        local token = verified and table.remove(tokens) or tokens[#tokens]
        verified = true
        return wrk.format("POST", nil, {["Cookie"] = "identity_refresh=" .. token})
    end
    response = function(status, headers)
        local token = (headers["Set-Cookie"] or ""):match("identity_refresh=([^;]+)")
        if token then
            table.insert(tokens, 1, token)
        end
    end
end

function init(args)
    if args[1] == "logins" then
        local names = lines(args[2])
        wrk.method = "POST"
        wrk.headers["Content-Type"] = "application/json"
        math.randomseed(os.time())
        make(2000, function()
            local body = string.format('{"username":"%s","password":"%s"}', names[math.random(#names)], args[3])
            return wrk.format(nil, nil, nil, body)
        end)
        random = true
    elseif args[1] == "each" then
        local values = lines(args[3])
        make(#values, function(i) return wrk.format(nil, nil, {[args[2]] = values[i]}) end)
        next_of_all = 0
    elseif args[1] == "invite" then
        wrk.headers["X-API-KEY"] = args[2]
        wrk.headers["Content-Type"] = "application/json"
        invited = 0
        request = function()
            invited = invited + 1
            return wrk.format("POST", nil, nil, string.format('{"username":"%s%d@bench.example"}', args[3], invited))
        end
    elseif args[1] == "refresh" then
        refresh(lines(args[2]))
    else
        if args[1] ~= "-" then
            wrk.headers[args[1]] = args[2]
        end
        if args[3] then
            local paths = lines(args[3])
            math.randomseed(os.time())
            make(100000, function() return wrk.format(nil, paths[math.random(#paths)]) end)
            random = true
        end
    end
    if random then
        request = function() return made[math.random(#made)] end
    elseif next_of_all then
        request = function()
            next_of_all = next_of_all % #made + 1
            return made[next_of_all]
        end
    end
end

function done(summary, latency, requests)
    local errors = summary.errors
    local broken = errors.connect + errors.read + errors.write + errors.timeout
    io.write(string.format("BENCH %d %d %d %d %d\n", summary.requests, errors.status, broken, summary.duration, latency:percentile(99)))
end
