{{ first_copies('alias') }}
