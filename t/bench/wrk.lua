-- SPDX-License-Identifier: Apache-2.0
-- usage: wrk ... -s wrk.lua URL -- HEADER VALUE                the same request again and again
--        wrk ... -s wrk.lua URL -- HEADER VALUE PATHS          PATH of a random line of that file
--        wrk ... -s wrk.lua URL -- logins NAMES PASSWORD       POST of a login of a random line
--        wrk ... -s wrk.lua URL -- each HEADER VALUES          one request for each line of that file as the header's value, then again from the first
-- A HEADER of - is none. Prints one line for run.pl at the end.
local made, next_of_all, random

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
    else
        if args[1] ~= "-" then
            wrk.headers[args[1]] = args[2]
        end
        if args[3] then
            local paths = lines(args[3])
            math.randomseed(os.time())
            make(20000, function() return wrk.format(nil, paths[math.random(#paths)]) end)
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
    io.write(string.format("BENCH %d %d %d\n", summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
