{{ first_copies('group') }}
