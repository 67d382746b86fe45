{{ first_copies('page') }}
